-- A workshop's tool chain: relations live in the columns' names only, as SQLite's users often leave them.
CREATE TABLE users (
  id TEXT PRIMARY KEY NOT NULL,
  email TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE TABLE api_tokens (
  id TEXT PRIMARY KEY NOT NULL,
  user_id TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
);
CREATE TABLE projects (
  id TEXT PRIMARY KEY NOT NULL,
  user_id TEXT NOT NULL,
  title TEXT NOT NULL,
  latest_analysis_id TEXT,
  latest_config_set_id TEXT,
  created_at INTEGER NOT NULL
);
CREATE TABLE analysis_runs (
  id TEXT PRIMARY KEY NOT NULL,
  project_id TEXT NOT NULL,
  status TEXT NOT NULL,
  error_message TEXT,
  started_at INTEGER NOT NULL
);
CREATE TABLE analysis_activity_logs (
  id INTEGER PRIMARY KEY,
  analysis_run_id TEXT NOT NULL,
  message TEXT NOT NULL,
  logged_at INTEGER NOT NULL
);
CREATE TABLE config_sets (
  id TEXT PRIMARY KEY NOT NULL,
  project_id TEXT NOT NULL,
  analysis_run_id TEXT,
  status TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE TABLE config_activity_logs (
  id INTEGER PRIMARY KEY,
  config_set_id TEXT NOT NULL,
  message TEXT NOT NULL,
  logged_at INTEGER NOT NULL
);
CREATE TABLE config_files (
  id TEXT PRIMARY KEY NOT NULL,
  config_set_id TEXT NOT NULL,
  file_path TEXT NOT NULL,
  content TEXT NOT NULL
);
CREATE TABLE config_optimizations (
  id TEXT PRIMARY KEY NOT NULL,
  config_set_id TEXT NOT NULL,
  title TEXT NOT NULL,
  saved_percent REAL NOT NULL
);
CREATE TABLE build_runs (
  id TEXT PRIMARY KEY NOT NULL,
  project_id TEXT NOT NULL,
  status TEXT NOT NULL,
  started_at INTEGER NOT NULL
);
CREATE TABLE deployments (
  id TEXT PRIMARY KEY NOT NULL,
  project_id TEXT NOT NULL,
  url TEXT NOT NULL,
  deployed_at INTEGER NOT NULL
);
CREATE INDEX projects_user_idx ON projects (user_id);
CREATE INDEX analysis_runs_project_idx ON analysis_runs (project_id);

-- A delivery service that shares the users: most referring columns are indexed, five are not.
CREATE TABLE customers (
  id TEXT PRIMARY KEY NOT NULL,
  full_name TEXT NOT NULL,
  phone TEXT NOT NULL UNIQUE,
  referred_by TEXT,
  created_at TEXT NOT NULL
);
CREATE TABLE vehicles (
  id TEXT PRIMARY KEY NOT NULL,
  plate TEXT NOT NULL UNIQUE,
  capacity INTEGER NOT NULL
);
CREATE TABLE drivers (
  id TEXT PRIMARY KEY NOT NULL,
  user_id TEXT NOT NULL,
  vehicle_id TEXT,
  licence TEXT NOT NULL
);
CREATE TABLE pods (
  id TEXT PRIMARY KEY NOT NULL,
  street TEXT NOT NULL,
  operator_id TEXT
);
CREATE TABLE orders (
  id TEXT PRIMARY KEY NOT NULL,
  customer_id TEXT,
  driver_id TEXT,
  pod_id TEXT,
  status TEXT NOT NULL,
  total_cents INTEGER NOT NULL,
  placed_at TEXT NOT NULL
);
CREATE TABLE wallets (
  id TEXT PRIMARY KEY NOT NULL,
  customer_id TEXT NOT NULL,
  balance_cents INTEGER NOT NULL
);
CREATE TABLE wallet_transactions (
  id TEXT PRIMARY KEY NOT NULL,
  wallet_id TEXT NOT NULL,
  type TEXT NOT NULL,
  amount_cents INTEGER NOT NULL,
  booked_at TEXT NOT NULL
);
CREATE TABLE products (
  id TEXT PRIMARY KEY NOT NULL,
  label TEXT NOT NULL,
  price_cents INTEGER NOT NULL
);
CREATE TABLE subscriptions (
  id TEXT PRIMARY KEY NOT NULL,
  customer_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  next_delivery_date TEXT NOT NULL
);
CREATE TABLE cylinders (
  id TEXT PRIMARY KEY NOT NULL,
  serial TEXT NOT NULL UNIQUE,
  location_type TEXT NOT NULL,
  location_id TEXT NOT NULL
);
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE INDEX orders_driver_idx ON orders (driver_id);
CREATE INDEX drivers_vehicle_idx ON drivers (vehicle_id);
CREATE INDEX wallets_customer_idx ON wallets (customer_id);
CREATE INDEX wallet_transactions_wallet_idx ON wallet_transactions (wallet_id);
CREATE INDEX subscriptions_customer_idx ON subscriptions (customer_id);
CREATE INDEX cylinders_location_idx ON cylinders (location_type, location_id);

-- Here keys are declared, and one of them contradicts its column: SET NULL on NOT NULL.
CREATE TABLE workspaces (
  id TEXT PRIMARY KEY NOT NULL,
  slug TEXT NOT NULL UNIQUE
);
CREATE TABLE workspace_members (
  workspace_id TEXT NOT NULL CONSTRAINT workspace_members_workspace_fk REFERENCES workspaces (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL CONSTRAINT workspace_members_user_fk REFERENCES users (id) ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
  PRIMARY KEY (workspace_id, user_id)
);
CREATE TABLE user_preferences (
  user_id TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  primary_workspace_id TEXT NOT NULL
    CONSTRAINT user_preferences_workspace_fk REFERENCES workspaces (id) ON DELETE SET NULL,
  theme TEXT NOT NULL
);
CREATE TABLE workspace_invitations (
  id TEXT PRIMARY KEY NOT NULL,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  email TEXT NOT NULL
);
CREATE TABLE workspace_domains (
  id TEXT PRIMARY KEY NOT NULL,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  domain TEXT NOT NULL UNIQUE
);
CREATE TABLE workspace_invoices (
  id TEXT PRIMARY KEY NOT NULL,
  workspace_id TEXT NOT NULL REFERENCES workspaces (id),
  amount_cents INTEGER NOT NULL
);
CREATE INDEX user_preferences_workspace_idx ON user_preferences (primary_workspace_id);
CREATE INDEX workspace_invitations_workspace_idx ON workspace_invitations (workspace_id);
CREATE INDEX workspace_domains_workspace_idx ON workspace_domains (workspace_id);
CREATE INDEX workspace_invoices_workspace_idx ON workspace_invoices (workspace_id);
