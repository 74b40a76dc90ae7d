"""Rollouts over many nodes, adopted configurations, conditions and the messages about them."""

from pathlib import Path

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables; replicas of the version before do not look at them."""
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))


def downgrade() -> None:
    """Refuse: history is not thrown away by a command."""
    message = "Poolkeeper's schema only goes forward: restore a backup to go back."
    raise RuntimeError(message)
