"""Where everything of an installed agent lies."""

from dataclasses import dataclass
from pathlib import Path

UNIT = "poolkeeper-agent.service"
CREDENTIALS = ("api_key", "oci_key.pem")
"""Names under which the agent finds its secrets in $CREDENTIALS_DIRECTORY."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths on the node; `root` is put before each of them when something is written.

    Attributes:
        root: `/` on a running node, another directory for an image that is being built.
    """

    root: Path = Path("/")

    @property
    def is_live(self) -> bool:
        """Whether this is the running system, so that systemd can be told."""
        return self.root == Path("/")

    @property
    def home(self) -> Path:
        """Environments, one for each release, and links to the current and the previous one."""
        return self.at("/opt/poolkeeper")

    @property
    def environments(self) -> Path:
        """The directory of environments."""
        return self.home / "releases"

    @property
    def current(self) -> Path:
        """Link to the environment that the unit starts."""
        return self.home / "current"

    @property
    def previous(self) -> Path:
        """Link to the environment before that, for a rollback."""
        return self.home / "previous"

    @property
    def command(self) -> Path:
        """Link to the `poolkeeper` command."""
        return self.at("/usr/local/bin/poolkeeper")

    @property
    def unit(self) -> Path:
        """The unit file."""
        return self.at(f"/etc/systemd/system/{UNIT}")

    @property
    def wanted(self) -> Path:
        """The link by which the unit starts at boot."""
        return self.at(f"/etc/systemd/system/multi-user.target.wants/{UNIT}")

    @property
    def drop_in(self) -> Path:
        """Names the credentials that exist; beside it lie the operator's own drop-ins."""
        return self.at(f"/etc/systemd/system/{UNIT}.d/10-credentials.conf")

    @property
    def etc(self) -> Path:
        """Settings that the agent may read."""
        return self.at("/etc/poolkeeper")

    @property
    def settings(self) -> Path:
        """The agent's environment, without secrets."""
        return self.etc / "agent.env"

    @property
    def config(self) -> Path:
        """A local configuration, for an agent without a central or for its first start."""
        return self.etc / "config.yaml"

    @property
    def guard(self) -> Path:
        """What the node's owner allows, whatever the configuration says."""
        return self.etc / "guard.yaml"

    @property
    def credentials(self) -> Path:
        """Secrets, readable by root; systemd hands copies to the agent."""
        return self.etc / "credentials"

    @property
    def state(self) -> tuple[Path, ...]:
        """The agent's state: systemd's link and, behind it, the directory of a dynamic user."""
        return (
            self.at("/var/lib/poolkeeper-agent"),
            self.at("/var/lib/private/poolkeeper-agent"),
        )

    def at(self, path: str) -> Path:
        """Return where a path of the node is written."""
        return self.root / path.removeprefix("/")

    def on_node(self, path: Path) -> str:
        """Return a path as the node will see it."""
        return str(Path("/") / path.relative_to(self.root))
