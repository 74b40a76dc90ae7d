"""History that lasts: roll-ups, kept resizes, what is remembered for how long."""

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the roll-ups, their progress, the kept resizes and the retention policy."""
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))


def downgrade() -> None:
    """Refuse: history is not thrown away by a command."""
    message = "Poolkeeper's schema only goes forward: restore a backup to go back."
    raise RuntimeError(message)
