"""The order in which a queue's messages are served."""

from kombu import Connection, Queue

from flotilla.priorities import FIRST, NORMAL, STEPS, TwoLaneTransport


def test_what_is_given_back_goes_ahead_of_what_nobody_has_begun(redis_url: str) -> None:
    """As the message of a child of a worker's pool that has died, and whose worker lives on."""
    queue = Queue("order")
    with Connection(
        redis_url, transport=TwoLaneTransport, transport_options={"priority_steps": STEPS}
    ) as connection:
        channel = connection.channel()
        queue(channel).declare()
        producer = connection.Producer(channel)

        def taken() -> str:
            message = channel.basic_get("order", no_ack=True)
            assert message is not None
            return str(message.payload)

        for text in ("a", "b", "c"):
            producer.publish(text, routing_key="order", priority=NORMAL)
        begun = channel.basic_get("order")
        assert begun.payload == "a"
        begun.reject(requeue=True)
        assert taken() == "a"
        producer.publish("lost", routing_key="order", priority=FIRST)
        assert [taken() for _ in range(3)] == ["lost", "b", "c"]
