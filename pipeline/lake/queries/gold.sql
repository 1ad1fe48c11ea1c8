-- Events and users per type of one day.
SELECT event_type, count(*) AS events, count(DISTINCT user_id) AS unique_users
FROM silver
WHERE dt = ?
GROUP BY event_type
