"""The processes behind the gateway: health, probes, and what Flower shows of them."""

import httpx

from flotilla.client import Flotilla
from flotilla.settings import FLEETS
from tests.acceptance.stack import PATIENCE, Stack, flotilla, wait_until


def test_readiness_names_the_part_that_hangs(stack: Stack, raw: httpx.Client) -> None:
    assert raw.get("/health/ready").status_code == 200
    with stack.halted("qdrant"):
        reply = raw.get("/health/ready")
        assert reply.status_code == 503
        parts = reply.json()["dependencies"]
        assert [name for name, part in parts.items() if not part["ok"]] == ["qdrant"]
        assert parts["qdrant"]["detail"]
        assert raw.get("/health/live").status_code == 200
    wait_until(lambda: raw.get("/health/ready").is_success, "ready again")


def test_each_fleet_has_a_worker_with_its_own_tasks(client: Flotilla) -> None:
    info = client.fleets()
    assert sorted(worker.fleet for worker in info.workers) == sorted(FLEETS)
    prefixes = {
        fleet: {name.split(".")[0] for name in names} for fleet, names in info.tasks.items()
    }
    assert prefixes == {
        "document": {"document"},
        "vectorstore": {"vectorstore"},
        "rag": {"rag"},
        "default": {"upkeep"},
    }


def test_a_worker_is_probed(stack: Stack) -> None:
    for fleet in FLEETS:
        probe = flotilla("worker", fleet, "--name", f"{fleet}-1", "--check")
        assert stack.run(*probe).returncode == 0
    missing = flotilla("worker", "rag", "--name", "rag-99", "--check")
    assert stack.run(*missing, check=False).returncode == 1


def test_flower_shows_workers_and_ids_but_no_content(stack: Stack, client: Flotilla) -> None:
    secret = "quagmire"
    accepted = client.ingest_text(f"The {secret} lies behind the dunes.", name="dunes.txt")
    assert client.wait(accepted.task_id, timeout=PATIENCE).status == "completed"
    answer = client.ask(f"Where does the {secret} lie?")
    flower = stack.addresses.flower
    assert flower is not None
    with httpx.Client(base_url=flower, timeout=PATIENCE) as http:

        def listed() -> str | None:
            text = http.get("/api/tasks", params={"limit": 1000}).text
            return text if answer.task_id in text and accepted.task_id in text else None

        assert http.get("/").status_code == 200
        workers = wait_until(
            lambda: (
                (found := http.get("/api/workers", params={"refresh": 1})).is_success
                and len(found.json()) == 4
                and found.json()
            ),
            "four workers in Flower",
        )
        assert {name.split("@")[0] for name in workers} == {f"{fleet}-1" for fleet in FLEETS}
        queues = http.get("/api/queues/length").raise_for_status().json()["active_queues"]
        assert {queue["name"] for queue in queues} == set(FLEETS)
        # Events may come late, and those of before Flower's start never do.
        client.ask(f"Where does the {secret} lie?")
        text = wait_until(listed, "both tasks in Flower")
    assert secret not in text
