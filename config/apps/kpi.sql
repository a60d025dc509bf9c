-- The key figures that come with Honryu: edit them, or put programs of your own beside this file (docs/sql.md).
--
-- Streams with format = 'kpi' become key figures (GET /v1/kpi, docs/query-api.md): window_start and window_end say which
-- window, texts name the group ("event_type=page_view"), every number is a metric of its column's name; of two final rows
-- for the same window the one with the higher revision stays.

SET 'epochs' = 'true';              -- when all is quiet and every window closed, older data may be replayed
SET 'late.stream' = 'late-events';  -- rows that came after their windows were closed
SET 'error.stream' = 'kpi-errors';  -- rows that are no events

CREATE STREAM events (
  event_type  VARCHAR,
  user_id     VARCHAR,
  event_time  TIMESTAMP,
  "timestamp" TIMESTAMP,
  platform    VARCHAR FROM '$.device.type',
  app_version VARCHAR FROM '$.device.app_version',
  page        VARCHAR FROM '$.properties.page',
  variant     VARCHAR FROM '$.properties.variant',
  level       VARCHAR FROM '$.properties.level',
  severity    VARCHAR FROM '$.properties.severity',
  status      VARCHAR FROM '$.properties.status',
  response    VARCHAR FROM '$.properties.response',
  WATERMARK FOR event_time AS event_time - INTERVAL '1' MINUTE
) WITH (stream = 'events', timestamp_else = 'timestamp, arrival');

-- What counts as an error, in one place.
CREATE VIEW seen AS
SELECT event_time,
       CASE WHEN event_type IS NULL OR event_type = '' THEN '__none__'
            WHEN CHAR_LENGTH(event_type) > 200 THEN '__other__' ELSE event_type END AS event_type,
       NULLIF(user_id, '') AS user_id,
       platform, app_version, page, variant,
       CASE WHEN event_type IN ('error', 'crash') OR level = 'error' OR severity = 'error'
              OR REGEXP_LIKE(status, '^([5-9][0-9]{2}|[1-9][0-9]{3,})$')
              OR REGEXP_LIKE(response, '^([5-9][0-9]{2}|[1-9][0-9]{3,})$') THEN 1 ELSE 0 END AS is_error
FROM events;

-- Late rows are told once, by the shortest window.
CREATE STREAM told_already (event_type VARCHAR) WITH (stream = 'none');

-- Events, different users, errors: all together.
CREATE STREAM totals (window_start TIMESTAMP, window_end TIMESTAMP, events BIGINT, users BIGINT, errors BIGINT, error_rate DOUBLE, revision BIGINT)
WITH (stream = 'kpi', format = 'kpi', approximate_above = 'users:16384');

INSERT INTO totals SELECT window_start, window_end, COUNT(*), COUNT(DISTINCT user_id), SUM(is_error), CAST(SUM(is_error) AS DOUBLE) / COUNT(*), COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end EMIT EVERY INTERVAL '1' SECOND;

INSERT INTO totals SELECT window_start, window_end, COUNT(*), COUNT(DISTINCT user_id), SUM(is_error), CAST(SUM(is_error) AS DOUBLE) / COUNT(*), COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '5' MINUTE))
GROUP BY window_start, window_end EMIT EVERY INTERVAL '1' SECOND ON LATE SIDE STREAM told_already;

INSERT INTO totals SELECT window_start, window_end, COUNT(*), COUNT(DISTINCT user_id), SUM(is_error), CAST(SUM(is_error) AS DOUBLE) / COUNT(*), COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '1' HOUR))
GROUP BY window_start, window_end EMIT EVERY INTERVAL '1' SECOND ON LATE SIDE STREAM told_already;

-- The same by event type.
CREATE STREAM by_type (window_start TIMESTAMP, window_end TIMESTAMP, event_type VARCHAR, events BIGINT, users BIGINT, errors BIGINT, revision BIGINT)
WITH (stream = 'kpi', format = 'kpi', approximate_above = 'users:16384');

INSERT INTO by_type SELECT window_start, window_end, event_type, COUNT(*), COUNT(DISTINCT user_id), SUM(is_error), COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, event_type EMIT EVERY INTERVAL '1' SECOND ON LATE SIDE STREAM told_already;

INSERT INTO by_type SELECT window_start, window_end, event_type, COUNT(*), COUNT(DISTINCT user_id), SUM(is_error), COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '5' MINUTE))
GROUP BY window_start, window_end, event_type EMIT EVERY INTERVAL '1' SECOND ON LATE SIDE STREAM told_already;

INSERT INTO by_type SELECT window_start, window_end, event_type, COUNT(*), COUNT(DISTINCT user_id), SUM(is_error), COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, event_type EMIT EVERY INTERVAL '1' SECOND ON LATE SIDE STREAM told_already;

-- Daily active users; the sketch of each day is kept for the month.
CREATE STREAM daily (window_start TIMESTAMP, window_end TIMESTAMP, dau BIGINT, sketch VARBINARY, revision BIGINT)
WITH (stream = 'kpi', format = 'kpi', approximate_above = 'dau:16384');

INSERT INTO daily SELECT window_start, window_end, APPROX_COUNT_DISTINCT(user_id), HLL_SKETCH(user_id), COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '1' DAY))
GROUP BY window_start, window_end EMIT EVERY INTERVAL '10' SECOND ON LATE SIDE STREAM told_already;

-- Monthly active users: the union of 30 daily sketches. A day's row has the time of the day's end, so the windows of its
-- rows lie a day behind those of its events.
CREATE STREAM monthly (window_start TIMESTAMP, window_end TIMESTAMP, mau BIGINT, revision BIGINT)
WITH (stream = 'kpi', format = 'kpi', approximate_above = 'mau:16384');

INSERT INTO monthly SELECT window_start - INTERVAL '1' DAY, window_end - INTERVAL '1' DAY, HLL_MERGE(sketch), COUNT(*)
FROM TABLE(HOP(TABLE daily, DESCRIPTOR(ROWTIME), INTERVAL '1' DAY, INTERVAL '30' DAY))
GROUP BY window_start, window_end EMIT EVERY INTERVAL '10' SECOND;

-- The 20 pages that were seen most often, every five minutes.
CREATE STREAM top_pages (window_start TIMESTAMP, window_end TIMESTAMP, page VARCHAR, page_views BIGINT)
WITH (stream = 'kpi', format = 'kpi');

INSERT INTO top_pages SELECT ROWTIME - INTERVAL '5' MINUTE, ROWTIME, ITEM, ITEM_COUNT
FROM TABLE(TOP_K_ITEMS_TUMBLING(CURSOR(SELECT page FROM seen WHERE page IS NOT NULL), 'page', 20, 300));

-- Share of users without a crash, by version of the app.
CREATE STREAM stability (window_start TIMESTAMP, window_end TIMESTAMP, app_version VARCHAR, crash_free_rate DOUBLE, revision BIGINT)
WITH (stream = 'kpi', format = 'kpi');

INSERT INTO stability SELECT window_start, window_end, app_version,
  1 - CAST(COUNT(DISTINCT CASE WHEN event_type = 'crash' THEN user_id END) AS DOUBLE) / NULLIF(COUNT(DISTINCT user_id), 0), COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '1' HOUR)) WHERE app_version IS NOT NULL
GROUP BY window_start, window_end, app_version EMIT EVERY INTERVAL '10' SECOND ON LATE SIDE STREAM told_already;

-- Active users by platform.
CREATE STREAM platforms (window_start TIMESTAMP, window_end TIMESTAMP, platform VARCHAR, active_users BIGINT, revision BIGINT)
WITH (stream = 'kpi', format = 'kpi', approximate_above = 'active_users:16384');

INSERT INTO platforms SELECT window_start, window_end, platform, COUNT(DISTINCT user_id), COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '1' HOUR)) WHERE platform IS NOT NULL
GROUP BY window_start, window_end, platform EMIT EVERY INTERVAL '10' SECOND ON LATE SIDE STREAM told_already;

-- Experiments: users by variant, and those of them who did what it is about.
CREATE STREAM experiments (window_start TIMESTAMP, window_end TIMESTAMP, variant VARCHAR, variant_users BIGINT, conversions BIGINT, conversion_rate DOUBLE, revision BIGINT)
WITH (stream = 'kpi', format = 'kpi', approximate_above = 'variant_users:16384,conversions:16384');

INSERT INTO experiments SELECT window_start, window_end, variant, COUNT(DISTINCT user_id),
  COUNT(DISTINCT CASE WHEN event_type IN ('purchase', 'sign_up', 'content_view') THEN user_id END),
  CAST(COUNT(DISTINCT CASE WHEN event_type IN ('purchase', 'sign_up', 'content_view') THEN user_id END) AS DOUBLE) / NULLIF(COUNT(DISTINCT user_id), 0),
  COUNT(*)
FROM TABLE(TUMBLE(TABLE seen, DESCRIPTOR(event_time), INTERVAL '1' HOUR)) WHERE variant IS NOT NULL
GROUP BY window_start, window_end, variant EMIT EVERY INTERVAL '10' SECOND ON LATE SIDE STREAM told_already;
