CREATE TABLE events (event_type STRING, user_id STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '10' SECOND) WITH ('connector' = 'kinesis', 'stream' = 'events');
SELECT window_start, window_end, event_type, COUNT(*) AS n
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, event_type;
SELECT TUMBLE_START(ts, INTERVAL '1' MINUTE), COUNT(*) FROM events GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), event_type;
