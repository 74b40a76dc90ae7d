"""People: sessions of two kinds, logins through Keycloak, the chain over the audit rows."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the accounts, the sessions and the audit chain need."""
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script.replace("%", "%%"))


def downgrade() -> None:
    """Refuse: history is not thrown away by a command."""
    message = "Poolkeeper's schema only goes forward: restore a backup to go back."
    raise RuntimeError(message)
