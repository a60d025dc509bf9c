-- What the ready rules of config/alerts.yaml need beyond the key figures of kpi.sql.

SET 'late.stream' = 'none';
SET 'error.stream' = 'none';

CREATE STREAM events (
  event_type  VARCHAR,
  user_id     VARCHAR,
  event_time  TIMESTAMP,
  "timestamp" TIMESTAMP,
  session_id  VARCHAR,
  platform    VARCHAR FROM '$.device.type',
  app_version VARCHAR FROM '$.device.app_version',
  WATERMARK FOR event_time AS event_time - INTERVAL '1' MINUTE
) WITH (stream = 'events', timestamp_else = 'timestamp, arrival');

-- Events by platform (rule traffic-drop-platform).
CREATE STREAM platform_traffic (window_start TIMESTAMP, window_end TIMESTAMP, platform VARCHAR, platform_events BIGINT, revision BIGINT)
WITH (stream = 'kpi', format = 'kpi');

INSERT INTO platform_traffic SELECT window_start, window_end, platform, COUNT(*), COUNT(*)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) WHERE platform IS NOT NULL
GROUP BY window_start, window_end, platform EMIT EVERY INTERVAL '1' SECOND;

-- Sessions by version of the app, and those without a crash (rule crash-free-rate).
CREATE STREAM stability_now (window_start TIMESTAMP, window_end TIMESTAMP, app_version VARCHAR, app_sessions BIGINT, crash_free_sessions BIGINT, revision BIGINT)
WITH (stream = 'kpi', format = 'kpi', approximate_above = 'app_sessions:16384,crash_free_sessions:16384');

INSERT INTO stability_now SELECT window_start, window_end, app_version, COUNT(DISTINCT session_id),
  COUNT(DISTINCT session_id) - COUNT(DISTINCT CASE WHEN event_type = 'crash' THEN session_id END), COUNT(*)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '5' MINUTE)) WHERE app_version IS NOT NULL AND session_id IS NOT NULL
GROUP BY window_start, window_end, app_version EMIT EVERY INTERVAL '5' SECOND;

-- Users who reserve and cancel at least three times in an hour (rule reserve-cancel).
CREATE STREAM fraud (window_start TIMESTAMP, window_end TIMESTAMP, user_id VARCHAR, pairs BIGINT)
WITH (stream = 'fraud');

INSERT INTO fraud SELECT window_start, window_end, user_id, SUM(CASE WHEN event_type = 'cancel' THEN 1 ELSE 0 END)
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '1' HOUR)) WHERE event_type IN ('reserve', 'cancel') AND user_id IS NOT NULL
GROUP BY window_start, window_end, user_id
HAVING SUM(CASE WHEN event_type = 'cancel' THEN 1 ELSE 0 END) >= 3 AND SUM(CASE WHEN event_type = 'reserve' THEN 1 ELSE 0 END) >= 3
EMIT EVERY INTERVAL '1' SECOND;
