"""Forms of the pages of batch jobs. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from models.batch.models import MOST_CHUNK_ROWS, USUAL_CHUNK_ROWS, BatchJob, Format
from models.batch.sources import MAX_PATH, MAX_QUERY, Wanted
from models.endpoints.models import Endpoint
from models.endpoints.version_choices import label_of
from models.registry.models import ModelVersion
from modelwright.compute.models import ResourceProfile
from modelwright.compute.words import size_words
from workspaces.models import DataConnection

_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}
# What is scored, as the tabs of the form name it.
SOURCES = (
    ("upload", "Upload a file"),
    ("repository", "A file of the project"),
    ("file", "A file of a data connection"),
    ("database", "A table or query"),
)


class BatchForm(forms.Form):
    """A batch job to start. The fields of its source are those of a subclass."""

    first: tuple[str, ...] = ()

    def __init__(
        self,
        versions: Iterable[ModelVersion],
        endpoints: Iterable[Endpoint],
        profiles: Iterable[ResourceProfile],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(version.pk), label_of(version)) for version in versions]
        self.fields["model_version"] = forms.ChoiceField(label="Version", choices=choices)
        self.fields["endpoint"] = forms.ChoiceField(
            label="Endpoint",
            required=False,
            choices=[("", "None"), *((str(endpoint.pk), endpoint.path) for endpoint in endpoints)],
            help_text="Its rules of retention and redaction then hold, and the predictions stand among its own.",
        )
        self.fields["key_columns"] = forms.CharField(
            label=self.key_label,
            required=self.key_required,
            max_length=2000,
            help_text=self.key_help,
            widget=forms.TextInput(attrs=_CODE),
        )
        self.fields["output_format"] = forms.ChoiceField(label="Output", choices=Format.choices)
        self.fields["on_error"] = forms.ChoiceField(
            label="A row that cannot be predicted", choices=BatchJob.OnError.choices
        )
        self.fields["chunk_rows"] = forms.IntegerField(
            label="Rows in a chunk",
            min_value=1,
            max_value=MOST_CHUNK_ROWS,
            initial=USUAL_CHUNK_ROWS,
            help_text="What is predicted and stored at once; a job that was killed goes on after the last one stored.",
        )
        sizes = [(p.name, f"{p.name}: {size_words(p.cpu, p.memory_bytes, p.gpus)}") for p in profiles]
        self.fields["profile"] = forms.ChoiceField(label="Size", choices=[("", "The usual"), *sizes], required=False)
        self.order_fields(["model_version", *self.first, "key_columns", "output_format"])

    key_label = "Key columns"
    key_required = False
    key_help = "Copied to the output beside each prediction, such as `customer_id, month`. Empty for none."

    def keys(self) -> list[str]:
        """The key columns that were typed."""
        return [part.strip() for part in self.cleaned_data["key_columns"].split(",") if part.strip()]

    def wanted(self) -> Wanted:
        """What is to be scored."""
        raise NotImplementedError


class UploadForm(BatchForm):
    """Score an uploaded file."""

    first = ("file",)
    file = forms.FileField(
        label="File",
        max_length=255,
        help_text="CSV in UTF-8 whose first line names the columns, or Parquet, with the names of the model's inputs.",
    )


class RepositoryForm(BatchForm):
    """Score a file of the project."""

    first = ("path", "commit")
    path = forms.CharField(
        label="File",
        max_length=500,
        help_text="Path in the project, such as `data/customers.csv`.",
        widget=forms.TextInput(attrs=_CODE),
    )
    commit = forms.CharField(
        label="Commit",
        required=False,
        max_length=64,
        help_text="Full id of an older commit; the newest where it is left empty.",
        widget=forms.TextInput(attrs=_CODE),
    )

    def wanted(self) -> Wanted:
        """The file."""
        return Wanted("repository", path=self.cleaned_data["path"], commit=self.cleaned_data["commit"])


class RemoteFileForm(BatchForm):
    """Score a file of a data connection."""

    first = ("connection", "path")
    path = forms.CharField(
        label="File",
        max_length=MAX_PATH,
        help_text="Its name below the address or directory, or after the prefix, of the connection, such as "
        "`2026/customers.parquet`. It is fetched when the job runs.",
        widget=forms.TextInput(attrs=_CODE),
    )

    def __init__(self, connections: Iterable[DataConnection], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["connection"] = forms.ChoiceField(
            label="Data connection",
            choices=[(each.name, f"{each.name}: {each.get_kind_display()}") for each in connections],
            help_text="To a database: choose the tab for a table or query.",
        )
        self.order_fields(["model_version", *self.first, "key_columns", "output_format"])

    def wanted(self) -> Wanted:
        """The file."""
        return Wanted("file", connection=self.cleaned_data["connection"], path=self.cleaned_data["path"])


class DatabaseForm(BatchForm):
    """Score a table or query."""

    first = ("connection", "table", "query")
    key_label = "Key column"
    key_required = True
    key_help = "The column that is different in each row: it orders the rows, and predictions are written back by it."
    table = forms.CharField(
        label="Table",
        required=False,
        max_length=130,
        help_text="Such as `customers` or `sales.customers`.",
        widget=forms.TextInput(attrs=_CODE),
    )
    query = forms.CharField(
        label="Query",
        required=False,
        max_length=MAX_QUERY,
        help_text="In place of a table: one SELECT. It is run in a transaction that only reads.",
        widget=forms.Textarea(attrs={**_CODE, "rows": 4}),
    )
    output_table = forms.CharField(
        label="Write to table",
        required=False,
        max_length=130,
        help_text="Of the same connection; it gets prediction, probabilities and prediction id by the key. "
        "Made where it is missing; may be the table that is scored. Empty for a file alone.",
        widget=forms.TextInput(attrs=_CODE),
    )

    def __init__(self, connections: Iterable[DataConnection], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["connection"] = forms.ChoiceField(
            label="Data connection", choices=[(each.name, each.name) for each in connections]
        )
        self.order_fields(["model_version", *self.first, "key_columns", "output_table", "output_format"])

    def clean(self) -> dict[str, Any]:
        """One of the two is needed."""
        values: dict[str, Any] = super().clean() or {}
        if bool(values.get("table")) == bool(values.get("query")) and not self.errors:
            self.add_error("table", "Give either a table or a query.")
        return values

    def wanted(self) -> Wanted:
        """The table or query."""
        values = self.cleaned_data
        kind = "table" if values["table"] else "query"
        return Wanted(kind, connection=values["connection"], table=values["table"], query=values["query"])


class CancelForm(forms.Form):
    """Why a batch job is cancelled."""

    reason = forms.CharField(label="Reason", required=False, max_length=1000, help_text="Stands in the audit trail.")
