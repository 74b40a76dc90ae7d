"""Central as the agent reaches it while its key may be rotated."""

from agent.central_client import CentralClient, CentralError
from agent.keyring import Keyring
from shared.wire import Heartbeat, HeartbeatAnswer

_UNAUTHORIZED = 401


class RotatingCentral:
    """Posts heartbeats with the key of the moment and minds which one is accepted."""

    def __init__(self, client: CentralClient, keyring: Keyring) -> None:
        self._client = client
        self._keyring = keyring

    def post(self, beat: Heartbeat) -> HeartbeatAnswer:
        """See `Central.post`."""
        try:
            answer = self._client.post(beat)
        except CentralError as error:
            if error.status == _UNAUTHORIZED:
                self._keyring.refused()
            raise
        self._keyring.accepted()
        if answer.next_api_key:
            self._keyring.offer(answer.next_api_key)
        return answer
