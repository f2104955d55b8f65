"""A delivery of RabbitMQ as the lease that it is: held unacked, and lost with its channel."""

from xqueue_grader.common.amqp.messages import Arrival
from xqueue_grader.common.link.ending import Ending
from xqueue_grader.common.link.settling import end_message
from xqueue_grader.settlement import Answered, Failed, GivenBack, Settlement
from xqueue_grader.submission import Submission
from xqueue_grader.transports.over_amqp.answering import Answering
from xqueue_grader.transports.over_amqp.contract import Request, read_request, returns_of


class Delivery:
    """A submission, or a call, from the course queue `queue`."""

    def __init__(self, message: Arrival, queue: str, answering: Answering) -> None:
        self.queue = queue
        self._message = message
        self._answering = answering
        self._request: Request | None = None

    @property
    def name(self) -> str | None:
        """Its correlation id."""
        return self._message.correlation_id

    @property
    def returns(self) -> int:
        """How often it came back, as the broker says."""
        return returns_of(self._message)

    @property
    def is_call(self) -> bool:
        """Whether a program inside asks."""
        return self._request is not None and self._request.is_call

    def read(self) -> Submission:
        """Read it, once."""
        self._request = read_request(self._message, self.queue)
        return self._request.submission

    async def answer(self, reply: bytes) -> Settlement:
        """Publish the reply, confirmed."""
        assert self._request is not None, "what is answered was read"
        return await self._answering.answer(self._request, reply)

    async def end(self, settlement: Settlement) -> None:
        """Ack, reject or return it: the one place that does."""
        match settlement:
            case Answered():
                how = Ending.ACKED
            case Failed():
                how = Ending.REJECTED
            case GivenBack():
                how = Ending.RETURNED
        end_message(self._message, how)
