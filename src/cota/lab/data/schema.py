"""The database as a list of migrations; the database's `user_version` says how many of them it has seen."""

# JSON columns hold a value's type as well as the value: '"1.10"' is text, '1.1' a double, '1' a long (see values.py).
MIGRATIONS = (
    """
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE account (
        id TEXT PRIMARY KEY, created INTEGER NOT NULL, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL,
        password_number INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 1
    ) STRICT;
    CREATE TABLE ended_session (id TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT;
    CREATE TABLE api_key (
        id TEXT PRIMARY KEY, created INTEGER NOT NULL, account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
        digest TEXT NOT NULL UNIQUE, description TEXT NOT NULL, enabled INTEGER NOT NULL, expires INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE profile (
        id TEXT PRIMARY KEY, created INTEGER NOT NULL, name TEXT NOT NULL UNIQUE, is_default INTEGER NOT NULL,
        firmware_id TEXT, software_id TEXT, provision_type TEXT NOT NULL, provision_key TEXT UNIQUE, provision_secret TEXT,
        body TEXT NOT NULL, version INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE device (
        id TEXT PRIMARY KEY, created INTEGER NOT NULL, name TEXT NOT NULL UNIQUE, label TEXT,
        profile_id TEXT NOT NULL REFERENCES profile (id), firmware_id TEXT, software_id TEXT,
        body TEXT NOT NULL, version INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX device_by_profile ON device (profile_id);
    CREATE INDEX device_by_firmware ON device (firmware_id) WHERE firmware_id IS NOT NULL;
    CREATE TABLE credentials (
        id TEXT PRIMARY KEY, created INTEGER NOT NULL, device_id TEXT NOT NULL UNIQUE REFERENCES device (id) ON DELETE CASCADE,
        type TEXT NOT NULL, credentials_id TEXT NOT NULL UNIQUE, credentials_value TEXT, version INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE package (
        id TEXT PRIMARY KEY, created INTEGER NOT NULL, profile_id TEXT REFERENCES profile (id) ON DELETE CASCADE,
        type TEXT NOT NULL, title TEXT NOT NULL, version TEXT NOT NULL, tag TEXT, url TEXT, file_name TEXT, content_type TEXT,
        checksum_algorithm TEXT, checksum TEXT, data_size INTEGER, has_data INTEGER NOT NULL, additional_info TEXT,
        UNIQUE (title, version)
    ) STRICT;
    CREATE TABLE package_piece (
        package_id TEXT NOT NULL REFERENCES package (id) ON DELETE CASCADE, number INTEGER NOT NULL, bytes BLOB NOT NULL,
        PRIMARY KEY (package_id, number)
    ) STRICT;
    CREATE TABLE ota_queue (
        number INTEGER PRIMARY KEY, device_id TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
        type TEXT NOT NULL, package_id TEXT NOT NULL, ts INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE attribute (
        entity_id TEXT NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL, ts INTEGER NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (entity_id, scope, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE latest (
        entity_id TEXT NOT NULL, key TEXT NOT NULL, ts INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (entity_id, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE history (
        entity_id TEXT NOT NULL, key TEXT NOT NULL, ts INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (entity_id, key, ts)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE dashboard (
        id TEXT PRIMARY KEY, created INTEGER NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL
    ) STRICT;
    """,
)
