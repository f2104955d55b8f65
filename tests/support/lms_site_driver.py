"""A small Django site with the real edx-submissions: an LMS's own grader queue, served as an LMS serves it.

Run by the Python that the package is installed in, with a folder (its database stays there over restarts) and a port.
Beside /xqueue/ there is /test/, by which the test submits, looks, and lets time pass.
"""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

FOLDER, PORT = Path(sys.argv[1]), int(sys.argv[2])
FRESH = not (FOLDER / "site.sqlite3").exists()

settings.configure(
    SECRET_KEY="a key of the test's site alone",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDER / "site.sqlite3",
            "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE"},
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "rest_framework",
        "submissions",
    ],
    # Without them the tables are made at once, which takes a tenth of the time.
    MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "sessions", "submissions")),
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        f"{__name__}.outage",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    MEDIA_ROOT=FOLDER,
    MEDIA_URL="/media/",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.files.base import ContentFile  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from submissions.api import create_external_grader_detail  # noqa: E402
from submissions.models import ExternalGraderDetail, Score  # noqa: E402

_status = 0  # that of an outage; 0 is none
_seconds = 0.0  # how long put_result/ keeps its answer to itself
_puts = 0
_logins = 0


def outage(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> HttpResponse:
        global _puts, _logins  # noqa: PLW0603
        _puts += request.path.endswith("/put_result/")
        _logins += request.path.endswith("/login/") and request.method == "POST"
        if _status and not request.path.startswith("/test/"):
            return HttpResponse("<html>away</html>", status=_status)
        answer: HttpResponse = get_response(request)
        if request.path.endswith("/put_result/"):
            time.sleep(_seconds)
        return answer

    return middleware


class _File:
    def __init__(self, name: str, content: str) -> None:
        self.file = ContentFile(content.encode(), name)


def submit(request: HttpRequest) -> JsonResponse:
    """Hand in each of a list of submissions, as an LMS's problem does."""
    ids = []
    for each in json.loads(request.body):
        student = {
            "student_id": each["student"],
            "course_id": "course-v1:X+Y+Z",
            "item_id": each.get("item", "problem"),
            "item_type": "problem",
        }
        made = create_external_grader_detail(
            student,
            each["answer"],
            queue_name=each.get("queue", "there"),
            queue_key=each["student"],
            grader_file_name="grade.py",
            points_possible=each.get("points", 10),
            files={name: _File(name, content) for name, content in each.get("files", {}).items()},
        )
        ids.append(made.submission.id)
    return JsonResponse({"ids": ids})


def change(request: HttpRequest) -> JsonResponse:
    """Let an outage or slow answers begin or end; sessions end, scores be lost, time pass for what was handed out."""
    global _status, _seconds
    asked = json.loads(request.body)
    _status, _seconds = asked.get("status", _status), asked.get("seconds", _seconds)
    if asked.get("sessions_end"):
        Session.objects.all().delete()
    for forgotten in ExternalGraderDetail.objects.filter(submission__in=asked.get("forget", [])):
        # As a database is that was restored from before its score: handed out, with the same key.
        Score.objects.filter(submission=forgotten.submission_id).delete()
        forgotten.status, forgotten.status_time = "pulled", forgotten.status_time - timedelta(minutes=6)
        forgotten.save()
    if minutes := asked.get("minutes"):
        for each in ExternalGraderDetail.objects.filter(status="pulled"):
            each.status_time -= timedelta(minutes=minutes)
            each.save()
    return JsonResponse({})


def look(_: HttpRequest) -> JsonResponse:
    """Show what became of each submission, and its scores."""
    shown = {
        each.submission_id: {
            "status": each.status,
            "key": each.pullkey,
            "failures": each.num_failures,
            "reply": each.grader_reply,
            "scores": list(Score.objects.filter(submission=each.submission_id).values_list("points_earned", flat=True)),
        }
        for each in ExternalGraderDetail.objects.all()
    }
    return JsonResponse({"submissions": shown, "puts": _puts, "logins": _logins})


urlpatterns = [
    path("xqueue/", include("submissions.urls")),
    path("test/submit", csrf_exempt(submit)),
    path("test/change", csrf_exempt(change)),
    path("test/look", look),
]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    if FRESH:
        call_command("migrate", run_syncdb=True, verbosity=0)
        for name, groups in (("watcher", ["xqueue"]), ("stranger", [])):
            user = User.objects.create_user(name, password="its password")
            user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    server = make_server("127.0.0.1", PORT, get_wsgi_application(), _Server, _Quiet)
    print("ready", flush=True)
    server.serve_forever()
