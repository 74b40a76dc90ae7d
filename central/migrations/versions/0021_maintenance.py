"""A node that is being worked on is not called offline."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the flag; replicas of the version before simply do not look at it."""
    op.get_bind().exec_driver_sql(
        "ALTER TABLE node_state ADD COLUMN maintenance BOOLEAN NOT NULL DEFAULT false"
    )


def downgrade() -> None:
    """Refuse: history is not thrown away by a command."""
    message = "Poolkeeper's schema only goes forward: restore a backup to go back."
    raise RuntimeError(message)
