"""Single Prediction View: one customer's probability of leaving, what it is made of, and what if they were otherwise.

Runs as an application of the project by `flask --app prediction_view run`. It asks the endpoint that the project's
variables ENDPOINT_URL and ENDPOINT_KEY name; everything that it asks is on record there, under the name of its key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import customers as people
import pandas as pd
from flask import Flask, Response, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from prediction_view.asking import Endpoint, Trouble, endpoint_of_environment
from prediction_view.data import LEAVES, Record, data_of
from prediction_view.explaining import DRAWS, TOLERANCE
from prediction_view.fields import read
from prediction_view.looking import Look, look, rows

ON_A_PAGE = 20
# What the list shows of each customer.
SHOWN = ("tenure", "contract", "internet_service", "monthly_charges")
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)


def create_app(everybody: pd.DataFrame | None = None, endpoint: Endpoint | None = None) -> Flask:
    """The application: of all customers and the endpoint of the environment, unless others are given."""
    data = data_of(people.read() if everybody is None else everybody)
    numbers = list(data.customers)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.jinja_env.filters.update(percent=percent, points=points)
    app.jinja_env.globals.update(web_url=os.environ.get("MODELWRIGHT_WEB_URL", ""))
    app.after_request(secure)
    app.register_error_handler(HTTPException, explain_error)

    @app.get("/")
    def pick() -> ResponseReturnValue:
        """The list of customers; `?customer=12` leads to that one."""
        asked = request.args.get("customer", "").strip()
        if asked.isdecimal() and int(asked) in data.customers:
            return redirect(url_for("customer", number=int(asked)))
        first = min(max(request.args.get("first", 0, int), 0), len(numbers) - 1)
        page = [(number, data.customers[number]) for number in numbers[first : first + ON_A_PAGE]]
        fields = [each for each in data.fields if each.name in SHOWN]
        facts = {"first": first, "step": ON_A_PAGE, "total": len(numbers), "highest": numbers[-1]}
        return render_template("customers.html", asked=asked, page=page, fields=fields, **facts), 404 if asked else 200

    @app.get("/customers/<int:number>")
    def customer(number: int) -> ResponseReturnValue:
        """The answer for a customer as they are."""
        record = data.customers.get(number) or abort(404)
        written = {each.name: each.words(record[each.name]) for each in data.fields}
        return show(number, [record], written, {})

    @app.post("/customers/<int:number>")
    def what_if(number: int) -> ResponseReturnValue:
        """The same beside the answer for a customer as the form has them."""
        record = data.customers.get(number) or abort(404)
        changed, wrong = read(data.fields, request.form)
        return show(number, [record] if wrong else [record, changed], request.form, wrong)

    def show(
        number: int, records: list[Record], written: Mapping[str, str], wrong: dict[str, str]
    ) -> ResponseReturnValue:
        try:
            seen = look(endpoint or endpoint_of_environment(LEAVES), records, data.background)
        except Trouble as trouble:
            seen = Look([], trouble=trouble)
        if seen.trouble:
            wrong = wrong | seen.trouble.wrong
        unusual = [each for each in data.fields if any(each.is_unusual(record[each.name]) for record in records)]
        page = render_template(
            "customer.html",
            number=number,
            left=number in data.left,
            fields=data.fields,
            written=written,
            wrong=wrong,
            unusual=unusual,
            seen=seen,
            rows=rows(data.fields, seen.views),
            draws=DRAWS,
            tolerance=TOLERANCE,
        )
        return page, seen.trouble.status if seen.trouble else 422 if wrong else 200

    return app


def secure(response: Response) -> Response:
    """No script runs on these pages, nothing comes from elsewhere, and browsers keep no customer."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response


def explain_error(error: HTTPException) -> ResponseReturnValue:
    """A page for what is not there, is too large or went wrong in here, which the application's log then shows."""
    return render_template("error.html", error=error), error.code or 500


def percent(value: float) -> str:
    """A probability for people."""
    return f"{100 * value:.1f} %"


def points(value: float) -> str:
    """A difference of probabilities, in hundredths, with its sign."""
    return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−")  # + 0.0 has no −0.0
