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
    created_us BIGINT,
    scheme VARCHAR(200),
    instance VARCHAR(200),
    tag VARCHAR(200),
    valid BOOLEAN,
    PRIMARY KEY (sequence),
    UNIQUE (record_id)
);
CREATE INDEX ix_records_model ON records (model);
CREATE INDEX ix_records_target ON records (target);
CREATE INDEX ix_records_device ON records (device);
CREATE INDEX ix_records_kind ON records (kind);
CREATE INDEX ix_records_created_us ON records (created_us);
CREATE INDEX ix_records_scheme ON records (scheme);
CREATE INDEX ix_records_instance ON records (instance);
CREATE INDEX ix_records_tag ON records (tag);
CREATE INDEX ix_records_valid ON records (valid);
CREATE TABLE pocketclip_revision (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT pocketclip_revision_pkc PRIMARY KEY (version_num)
);
INSERT INTO pocketclip_revision VALUES ('0002');
