SELECT STREAM segment, article_id, COUNT(*) FROM mid GROUP BY segment, article_id, FLOOR(ROWTIME TO MINUTE);
