"""Who looks at the console: accounts, sessions, and what each may see and do; no request of a page elsewhere acts."""

import hmac
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from broker_setup.ledger.events import MAX_BY
from broker_setup.settings import Settings
from broker_setup.settings.access_settings import ConsoleRights, ConsoleRole
from broker_setup.wire.secret_keys import derived_key
from gateway.callers.accounts import Accounts
from gateway.callers.origin import is_of_another_site
from gateway.callers.sessions import Sessions

COOKIE = "xqueue_console"


@dataclass(frozen=True)
class Visitor:
    """Somebody who has logged in; `queues` are those that they see and, as operators, act on: None is all of them."""

    name: str
    acts: bool
    queues: frozenset[str] | None
    form_token: str = ""

    def sees(self, queue: str) -> bool:
        """Whether they may look at what is of this queue; what no queue is known of is for those who see all."""
        return self.queues is None or queue in self.queues

    @property
    def signature(self) -> str:
        """What stands in the ledger beside what they do."""
        return "".join(each if each.isprintable() else "?" for each in self.name)[:MAX_BY]


class People:
    """The accounts of the settings, and their sessions."""

    def __init__(self, settings: Settings) -> None:
        # Keys of their own: a gateway's session, of an account with the same name, opens nothing here.
        keys = [derived_key(secret, "console").hex() for secret in settings.secrets]
        self.accounts = Accounts(settings.console_accounts, keys)
        self.sessions = Sessions(self.accounts, settings.console_url, COOKIE)
        self._public_url = settings.console_url
        self._rights = settings.console_roles
        self._form_key = keys[0].encode()

    def visitor(self, request: Request) -> Visitor | None:
        """Return who asks; None for nobody we know."""
        session = self.sessions.of(request)
        if session is None:
            return None
        rights = self._rights.get(session.account, ConsoleRights())
        queues = rights.queues
        return Visitor(
            session.account,
            rights.role is ConsoleRole.OPERATOR,
            None if queues is None else frozenset(queues),
            self._form_token(session.account),
        )

    def renew(self, request: Request, answer: Response) -> None:
        """Give them a new cookie if theirs is more than a day old."""
        if session := self.sessions.of(request):
            self.sessions.renew(request, answer, session)

    def is_foreign(self, request: Request) -> bool:
        """Whether a form comes from a page of another site."""
        return is_of_another_site(request, self._public_url)

    def is_their_form(self, visitor: Visitor, token: str) -> bool:
        """Whether a form was made by a page that we gave to this session."""
        return hmac.compare_digest(visitor.form_token.encode(), token.encode(errors="replace"))

    def _form_token(self, account: str) -> str:
        # Of the account, not of the cookie: that is renewed under a page which is open.
        return hmac.digest(self._form_key, account.encode(errors="replace"), "sha256").hex()[:32]
