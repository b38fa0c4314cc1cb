"""The tenants' policies choose no index."""

from alembic import op

revision = "kernel_0002"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
DO $$
DECLARE policy record;
BEGIN
  FOR policy IN
    SELECT polrelid::regclass AS table, pg_get_expr(polqual, polrelid) AS allowed FROM pg_policy
    WHERE polname = 'tenants' AND pg_get_expr(polqual, polrelid) NOT LIKE 'COALESCE(%'
  LOOP
    EXECUTE format('ALTER POLICY tenants ON %s USING (coalesce(%s, false))', policy.table, policy.allowed);
  END LOOP;
END $$
""")
