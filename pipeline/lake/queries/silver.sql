-- The events of one day, each once: of an event that was sent more than once the first that was received counts.
SELECT event_id, event_type, user_id, occurred_at, hour_bucket, received_at, payload, hour
FROM (
  SELECT *, row_number() OVER (PARTITION BY event_id ORDER BY received_at, shard_id, sequence_number) AS copy
  FROM bronze
  WHERE dt = ?
) AS received
WHERE copy = 1
