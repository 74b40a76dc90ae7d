"""Old streams are forgotten, the present one never."""

from central.housekeeping import tidy
from tests.central_server import RunningCentral
from tests.heartbeats import beat, metric


def test_a_stream_is_forgotten_30_days_after_its_end(central: RunningCentral) -> None:
    with central.client(central.create_node("n1")) as agent:
        for number, stream in enumerate(["stream-1", "stream-2", "stream-3"], 1):
            answer = agent.post("/v1/heartbeat", json=beat(number, metric(1), stream_id=stream))
            assert answer.status_code == 200, answer.text
            assert answer.json()["ack"] == {"stream_id": stream, "sequence": 1}
        for stream, days in (("stream-1", 31), ("stream-2", 29), ("stream-3", 31)):
            central.execute(
                "UPDATE stream_cursors SET updated_at = now() - :days * interval '1 day' "
                "WHERE stream_id = :stream",
                days=days,
                stream=stream,
            )
        tidy(central.whole.engine)
        left = central.rows("SELECT stream_id FROM stream_cursors ORDER BY 1")
    assert left == [{"stream_id": "stream-2"}, {"stream_id": "stream-3"}], "the third is in use"
