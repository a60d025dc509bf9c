CREATE REFERENCE TABLE users (user_id VARCHAR(64), segment VARCHAR(16), PRIMARY KEY (user_id)) WITH (source = 'file:users.csv', format = 'csv', refresh = '60s');
CREATE STREAM mid (user_id VARCHAR(64), segment VARCHAR(16), article_id VARCHAR(32));
CREATE PUMP mid_pump AS INSERT INTO mid SELECT STREAM e.user_id, u.segment, e.properties['article_id'] FROM events e LEFT JOIN users u ON e.user_id = u.user_id;
