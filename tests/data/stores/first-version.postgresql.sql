CREATE TABLE records (
    sequence SERIAL NOT NULL,
    record_id VARCHAR(36) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    schema_version INTEGER NOT NULL,
    created_at VARCHAR(40) NOT NULL,
    model VARCHAR(200) NOT NULL,
    target VARCHAR(32),
    precision VARCHAR(32) NOT NULL,
    tower VARCHAR(16),
    device VARCHAR(200),
    status VARCHAR(16),
    document TEXT NOT NULL,
    PRIMARY KEY (sequence),
    UNIQUE (record_id)
);
CREATE INDEX ix_records_model ON records (model);
CREATE INDEX ix_records_target ON records (target);
CREATE INDEX ix_records_device ON records (device);
CREATE INDEX ix_records_kind ON records (kind);
