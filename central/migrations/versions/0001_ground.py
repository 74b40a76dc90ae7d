"""The eleven tables, and central's own."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every type, table, index and trigger of the ground schema."""
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))


def downgrade() -> None:
    """Refuse: history is not thrown away by a command."""
    message = "Poolkeeper's schema only goes forward: restore a backup to go back."
    raise RuntimeError(message)
