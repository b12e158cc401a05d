"""Language models: the one way in which the rag fleet calls them.

`Models` is it: roles, deadlines, retries, the breaker, limits and the fallback chain lie behind
its four calls, and a `Meter` counts what a run costs.
"""

from flotilla.rag.llm.chat_models import KEYLESS, build_chat_model, complete
from flotilla.rag.llm.failures import failure, retry_after
from flotilla.rag.llm.meter import Meter
from flotilla.rag.llm.models import Models
from flotilla.rag.llm.roles import Role

__all__ = [
    "KEYLESS",
    "Meter",
    "Models",
    "Role",
    "build_chat_model",
    "complete",
    "failure",
    "retry_after",
]
