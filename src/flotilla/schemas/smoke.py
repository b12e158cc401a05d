"""The smoke tests' requests."""

from typing import Any

from pydantic import Field

from flotilla.schemas.base import Number, Request
from flotilla.schemas.webhooks import CallbackURL


class SmokeRequest(Request):
    """What all smoke tests take."""

    callback_url: CallbackURL = None


class ProcessRequest(SmokeRequest):
    """Any JSON value, to be handed back by a worker."""

    data: Any = Field(examples=["hello fleet"])


class AddRequest(SmokeRequest):
    """Two numbers to be added."""

    x: Number = Field(examples=[2], allow_inf_nan=False)
    y: Number = Field(examples=[3], allow_inf_nan=False)


class DivideRequest(SmokeRequest):
    """A number to be divided by another; dividing by 0 shows what a failed task looks like."""

    dividend: Number = Field(examples=[10], allow_inf_nan=False)
    divisor: Number = Field(examples=[4], allow_inf_nan=False)


class ChainRequest(SmokeRequest):
    """(x + y) / divisor, as a chain of two tasks."""

    x: Number = Field(examples=[2], allow_inf_nan=False)
    y: Number = Field(examples=[3], allow_inf_nan=False)
    divisor: Number = Field(examples=[2], allow_inf_nan=False)


class ParallelRequest(SmokeRequest):
    """(x + y) + (x / z), as a group of two tasks and a chord that sums them."""

    x: Number = Field(examples=[8], allow_inf_nan=False)
    y: Number = Field(examples=[2], allow_inf_nan=False)
    z: Number = Field(examples=[4], allow_inf_nan=False)
