"""The smoke tests' requests."""

from typing import Any

from pydantic import Field

from flotilla.schemas.base import Request
from flotilla.schemas.webhooks import CallbackURL


class SmokeRequest(Request):
    """What all smoke tests take."""

    callback_url: CallbackURL = None


class ProcessRequest(SmokeRequest):
    """Any JSON value, to be handed back by a worker."""

    data: Any = Field(examples=["hello fleet"])


class AddRequest(SmokeRequest):
    """Two numbers to be added."""

    x: float = Field(examples=[2], allow_inf_nan=False)
    y: float = Field(examples=[3], allow_inf_nan=False)


class DivideRequest(SmokeRequest):
    """A number to be divided by another; dividing by 0 shows what a failed task looks like."""

    dividend: float = Field(examples=[10], allow_inf_nan=False)
    divisor: float = Field(examples=[4], allow_inf_nan=False)


class ChainRequest(SmokeRequest):
    """(x + y) / divisor, as a chain of two tasks."""

    x: float = Field(examples=[2], allow_inf_nan=False)
    y: float = Field(examples=[3], allow_inf_nan=False)
    divisor: float = Field(examples=[2], allow_inf_nan=False)


class ParallelRequest(SmokeRequest):
    """(x + y) + (x / z), as a group of two tasks and a chord that sums them."""

    x: float = Field(examples=[8], allow_inf_nan=False)
    y: float = Field(examples=[2], allow_inf_nan=False)
    z: float = Field(examples=[4], allow_inf_nan=False)
