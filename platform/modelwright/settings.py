"""Settings. Each comes from the environment; docs/settings.md lists them (tested)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from kombu.entity import Exchange, Queue

from modelwright.core.addresses import address, networks
from modelwright.core.queues import DEFAULT, host_queue

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR = Path(os.environ.get("MODELWRIGHT_DATA_DIR", BASE_DIR / ".modelwright")).resolve()


def _secret_key() -> str:
    """The installation's secret, made on first use and kept for its life."""
    path = Path(os.environ.get("MODELWRIGHT_SECRET_KEY_FILE", DATA_DIR / "secrets" / "secret-key"))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_urlsafe(50)
        file.write(key)
    return key


# A machine that is cut off notices within twenty seconds, and so does PostgreSQL, which then lets go of its locks.
PATIENCE_WITH_THE_NETWORK = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}


def _database(url: str) -> dict[str, object]:
    """Django's form of a `postgresql://` address; a Unix socket's folder stands in `?host=`."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    is_network = bool(parts.hostname or query.get("host", "/")[:1] != "/")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.get("host") or parts.hostname or "",
        "PORT": str(query.get("port") or parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(PATIENCE_WITH_THE_NETWORK) if is_network else {},
    }


def _broker(url: str) -> str:
    """Celery's form of a Redis address: a Unix socket is written otherwise than in redis-py's `unix://path?db=0`."""
    if not url.startswith("unix://"):
        return url
    path, _, query = url.removeprefix("unix://").partition("?")
    return f"redis+socket://{path}?virtual_host={dict(parse_qsl(query)).get('db', '0')}"


SECRET_KEY = _secret_key()
DEBUG = os.environ.get("MODELWRIGHT_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("MODELWRIGHT_ALLOWED_HOSTS", "*").split(",")

DATABASE_URL = address("DATABASE_URL", "postgresql://postgres@/modelwright?host=/var/run/postgresql")
MLFLOW_DATABASE_URL = address("MLFLOW_DATABASE_URL")
REDIS_URL = address("REDIS_URL", "redis://127.0.0.1:6379/0")
MLFLOW_SOCKET = os.environ.get("MODELWRIGHT_MLFLOW_SOCKET", str(DATA_DIR / "sockets" / "mlflow.sock"))
SOCKETS_DIR = Path(os.environ.get("MODELWRIGHT_SOCKETS_DIR", DATA_DIR / "sockets"))
MLFLOW_ARTIFACTS_DIR = Path(os.environ.get("MODELWRIGHT_MLFLOW_ARTIFACTS_DIR", DATA_DIR / "mlflow" / "artifacts"))
BLOBS = os.environ.get("MODELWRIGHT_BLOBS", "")
BLOBS_CREDENTIALS_FILE = os.environ.get("MODELWRIGHT_BLOBS_CREDENTIALS_FILE", "")
BLOBS_CACHE_GIB = float(os.environ.get("MODELWRIGHT_BLOBS_CACHE_GIB", "10"))
WEB_URL = os.environ.get("MODELWRIGHT_WEB_URL", "http://127.0.0.1:8000").rstrip("/")
# 0: predictions of endpoints that say nothing else are kept for ever.
COMPILE_MODELS = os.environ.get("MODELWRIGHT_COMPILE", "on") != "off"
PREDICTION_RETENTION_DAYS = int(os.environ.get("MODELWRIGHT_PREDICTION_RETENTION_DAYS", "0"))
# 0: files that were uploaded to be scored are kept for ever.
UPLOAD_RETENTION_DAYS = int(os.environ.get("MODELWRIGHT_UPLOAD_RETENTION_DAYS", "0"))
# Networks inside, in which sinks of events may stand all the same; 0 days of the stream: for ever.
EVENT_SINK_NETWORKS = networks(os.environ.get("MODELWRIGHT_EVENT_SINK_NETWORKS", ""))
# The same for repositories that are imported, and certificates of servers inside.
IMPORT_NETWORKS = networks(os.environ.get("MODELWRIGHT_IMPORT_NETWORKS", ""))
IMPORT_CA_FILE = os.environ.get("MODELWRIGHT_IMPORT_CA_FILE", "")
# The largest file that may come in by a push, an import or a commit in a session.
GIT_FILE_BYTES = int(os.environ.get("MODELWRIGHT_GIT_FILE_MIB", "100")) * 1024**2
EVENT_RETENTION_DAYS = int(os.environ.get("MODELWRIGHT_EVENT_RETENTION_DAYS", "7"))
# Where e-mail is handed in, empty for none.
MAIL_URL = os.environ.get("MODELWRIGHT_MAIL_URL", "")
MAIL_PASSWORD_FILE = os.environ.get("MODELWRIGHT_MAIL_PASSWORD_FILE", "")
MAIL_FROM = os.environ.get("MODELWRIGHT_MAIL_FROM", "modelwright@localhost")
GATEWAY_URL = os.environ.get("MODELWRIGHT_GATEWAY_URL", "http://127.0.0.1:8001").rstrip("/")
# Where the platform's own processes reach the gateway, which may lie behind a proxy for everybody else.
GATEWAY_INTERNAL_URL = os.environ.get("MODELWRIGHT_GATEWAY_INTERNAL_URL", GATEWAY_URL).rstrip("/")
# Below whose host each session and application has a name of its own; what the proxy there and the pages share.
SESSIONS_URL = os.environ.get("MODELWRIGHT_SESSIONS_URL", "http://*.localhost:8002")
SESSIONS_KEY_FILE = os.environ.get("MODELWRIGHT_SESSIONS_KEY_FILE", str(DATA_DIR / "secrets" / "sessions-key"))
HOST_NAME = os.environ.get("MODELWRIGHT_HOST_NAME", "local")
# Empty: what NVIDIA's driver says; `none`; or a recorded reading. Labels as in `gpu=h100,zone=a`.
HOST_GPUS = os.environ.get("MODELWRIGHT_HOST_GPUS", "")
HOST_LABELS = os.environ.get("MODELWRIGHT_HOST_LABELS", "")
# Where the gateway reaches this host's bridge, when it runs on another.
HOST_ADDRESS = os.environ.get("MODELWRIGHT_HOST_ADDRESS", "")
BRIDGE_PORT = int(os.environ.get("MODELWRIGHT_BRIDGE_PORT", "0"))
BRIDGE_CA_FILE = os.environ.get("MODELWRIGHT_BRIDGE_CA_FILE", "")
# On a host that joined: where what runs here reaches the gateway, which may be elsewhere for everybody else.
HOST_GATEWAY_URL = os.environ.get("MODELWRIGHT_HOST_GATEWAY_URL", "").rstrip("/")
BACKEND = os.environ.get("MODELWRIGHT_BACKEND", "process")
IMAGES = [name.strip() for name in os.environ.get("MODELWRIGHT_IMAGES", "").split(",") if name.strip()]
KEEPER_SOCKET = os.environ.get("MODELWRIGHT_KEEPER_SOCKET", str(SOCKETS_DIR / "keeper.sock"))
# What hosts that join are told; empty: the same as above, where other machines can reach it.
HOSTS_DATABASE_URL = os.environ.get("MODELWRIGHT_HOSTS_DATABASE_URL", "")
HOSTS_DATABASE_ADMIN_URL = os.environ.get("MODELWRIGHT_HOSTS_DATABASE_ADMIN_URL", "")
HOSTS_REDIS_URL = os.environ.get("MODELWRIGHT_HOSTS_REDIS_URL", "")
HOSTS_REDIS_USERS = os.environ.get("MODELWRIGHT_HOSTS_REDIS_USERS", "no") == "yes"
HOSTS_WEB_URL = os.environ.get("MODELWRIGHT_HOSTS_WEB_URL", "").rstrip("/")
HOSTS_GATEWAY_URL = os.environ.get("MODELWRIGHT_HOSTS_GATEWAY_URL", "").rstrip("/")
HOSTS_BLOBS = os.environ.get("MODELWRIGHT_HOSTS_BLOBS", "")
MODELWRIGHT_RUNTIME_SOURCE = Path(os.environ.get("MODELWRIGHT_RUNTIME_SOURCE", BASE_DIR / "platform" / "runtime"))

DATABASES = {"default": _database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "modelwright.core",
    "modelwright.audit",
    "modelwright.accounts",
    "modelwright.console",
    "modelwright.storage",
    "modelwright.compute",
    "modelwright.observability",
    "lineage",
    "workspaces",
    "projects",
    "jobs",
    "models.registry",
    "models.approvals",
    "models.endpoints",
    "models.predictions",
    "models.batch",
    "models.replays",
    "models.rollouts",
    "models.availability",
    "models.events",
    "sessions",
    "sessions.applications",
    "sessions.entering",
]

MIDDLEWARE = [
    "modelwright.observability.middleware.CountingMiddleware",
    "modelwright.core.middleware.RequestIdMiddleware",
    "modelwright.core.middleware.ContentSecurityMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "modelwright.urls"
ASGI_APPLICATION = "modelwright.asgi.application"
# What each workspace may use: a function from ids to `compute.allowances.Allowance`s, in a room above compute.
WORKSPACE_ALLOWANCES = "workspaces.selectors.allowances"
# Who stores records of the gateways' spools that the room of predictions does not know itself.
SPOOL_KINDS = {"availability": "models.availability.storing.store"}
# Whose tokens the tracking address takes besides those of runs and people: by prefix, a function of a room above jobs.
TRACKING_TOKENS = {"mws": "sessions.authentication.tracking_identity"}
# Who may read /metrics: whoever knows what stands in that file.
METRICS_TOKEN_FILE = os.environ.get("MODELWRIGHT_METRICS_TOKEN_FILE", str(DATA_DIR / "secrets" / "metrics-token"))
TRACES_URL = os.environ.get("MODELWRIGHT_TRACES_URL", "")
TRACES_RATIO = float(os.environ.get("MODELWRIGHT_TRACES_RATIO", "") or "0.01")
# What adds the counters of a process (core.counting) to the sums of all.
COUNTS_STORE = "modelwright.observability.store.add"
WATCHER_LOOPS = {
    "all": "modelwright.loops.LOOPS",
    "host": "modelwright.loops.HOST_LOOPS",
    "central": "modelwright.loops.CENTRAL_LOOPS",
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

_HTTPS = WEB_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [WEB_URL]
CSRF_FAILURE_VIEW = "modelwright.core.pages.csrf_failure"
SESSION_ENGINE = "modelwright.accounts.login_store"
SESSION_COOKIE_NAME = "modelwright_login"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS else None
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(os.environ.get("MODELWRIGHT_STATIC_ROOT", DATA_DIR / "static"))
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "modelwright.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["modelwright.core.parsers.PlainJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "modelwright.core.schema.PlatformSchema",
    "EXCEPTION_HANDLER": "modelwright.core.problems.api_exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Modelwright",
    "DESCRIPTION": "Projects, runs, models and endpoints, with everything on record.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "TAGS": [
        {"name": "accounts", "description": "People and their API tokens."},
        {"name": "workspaces", "description": "Workspaces, their members and data connections."},
        {"name": "projects", "description": "Projects, their members, variables, files and commits; prototypes."},
        {"name": "jobs", "description": "Jobs and runs, and what runs logged."},
        {"name": "models", "description": "Registered models, versions, aliases, lineage."},
        {"name": "approvals", "description": "Checks, model cards, and who let a version answer in production."},
        {"name": "endpoints", "description": "Endpoints, deployments, rollbacks, keys."},
        {"name": "predictions", "description": "What endpoints answered."},
        {
            "name": "rollouts",
            "description": "A version that comes to answer step by step, and is stopped where it is worse.",
        },
        {
            "name": "availability",
            "description": "Requests answered of those that should have been, and error budgets.",
        },
        {"name": "replays", "description": "Candidates asked what clients asked; the way back of endpoints, proved."},
        {"name": "sessions", "description": "JupyterLab on a branch of its own, and what becomes of the work in it."},
        {"name": "applications", "description": "Web servers of a project that run until they are stopped."},
        {"name": "batch", "description": "Files and tables that are scored as a whole."},
        {"name": "events", "description": "The stream of what happened, and where it is sent."},
        {"name": "compute", "description": "Hosts, sizes, environments."},
        {"name": "audit", "description": "Who did what, and the seal over it."},
    ],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "modelwright.core.schema.allow_any_null",
        "modelwright.core.schema.add_problem_responses",
    ],
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    # Fields of one name with different choices.
    "ENUM_NAME_OVERRIDES": {
        "BatchFormatEnum": "models.batch.models.Format",
        "BatchOnErrorEnum": "models.batch.models.BatchJob.OnError",
        "BatchStateEnum": "models.batch.states.BatchState",
        "ConsentKindEnum": "models.approvals.models.Consent.Kind",
        "DataConnectionKindEnum": "workspaces.models.DataConnection.Kind",
        "DeadLetterStateEnum": "models.events.states.LetterState",
        "EventSinkStateEnum": "models.events.states.SinkState",
        "DrillStateEnum": "models.replays.states.DrillState",
        "DrillTriggerEnum": "models.replays.models.Drill.Trigger",
        "EndpointStageEnum": "models.endpoints.models.Endpoint.Stage",
        "EndpointStateEnum": "models.endpoints.states.EndpointState",
        "EnvironmentStateEnum": "modelwright.compute.states.EnvironmentState",
        "ModelVersionStateEnum": "models.registry.states.VersionState",
        "PromotionStateEnum": "models.approvals.states.PromotionState",
        "ProjectRoleEnum": "modelwright.accounts.permissions.PROJECT_ROLE_CHOICES",
        "DeploymentRoleEnum": "models.endpoints.models.DeploymentTarget.Role",
        "ReexecutionStateEnum": "models.predictions.states.ReexecutionState",
        "ReplayStateEnum": "models.replays.states.ReplayState",
        "RunTriggerEnum": "jobs.models.Run.Trigger",
        "SessionCommandKindEnum": "sessions.models.SessionCommand.Kind",
        "WorkloadKindEnum": "modelwright.compute.models.Workload.Kind",
        "WorkloadStateEnum": "modelwright.compute.states.WorkloadState",
        "WorkspaceRoleEnum": "modelwright.accounts.permissions.WORKSPACE_ROLE_CHOICES",
    },
}

# PostgreSQL is the truth and a message only a wake-up hint: no results, short tasks, quick redelivery.
CELERY_BROKER_URL = _broker(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# For ever: a worker that was cut off goes on when it finds its way again.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 60,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = DEFAULT
# A worker serves the queue of all, and that of its host. Each needs an exchange and a key of its own, or both get all.
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name)  # type: ignore[no-untyped-call]  # kombu has no types
    for name in (DEFAULT, host_queue(HOST_NAME))
]
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_TASK_TIME_LIMIT = 90

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": os.environ.get("MODELWRIGHT_LOG_LEVEL", "INFO")},
}
