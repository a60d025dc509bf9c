SELECT FUNNEL(user_id, "timestamp", INTERVAL '1' HOUR, event_type='page_view', event_type='button_click', event_type='message_send') FROM events GROUP BY FLOOR(ROWTIME TO DAY);
