"""Names the tests rely on in one place: settings, metrics, routes' defaults."""

API_KEY = "test-key"

# Settings (dotted), so that a test can shorten a deadline or a limit.
HEAD_TIMEOUT = "http.head_timeout"
BODY_TIMEOUT = "http.body_timeout"
IDLE_TIMEOUT = "http.idle_timeout"
REQUEST_LINE_MAX = "http.request_line_limit"
HEADER_BYTES_MAX = "http.header_bytes_limit"
HEADER_COUNT_MAX = "http.header_count_limit"
BODY_MAX = "http.body_size_limit"
CLOSE_TIMEOUT = "client.close_timeout"
MESSAGE_SIZE = "websocket.message_size_limit"
PING_INTERVAL = "client.ping_interval"
PONG_TIMEOUT = "client.pong_timeout"
QUEUE_MAX = "client.queue_max_size"
CONNECTION_LIMIT = "client.connection_limit"
ADDRESS_LIMIT = "client.connections_per_address"
CHANNEL_LIMIT = "client.channel_limit"
MAX_CHANNELS = "channel.max_channels"
ALLOWED_ORIGINS = "client.allowed_origins"
MAILBOX_MAX = "worker.mailbox_max_size"
SSE_HEARTBEAT = "sse.heartbeat_interval"
DRAIN_TIMEOUT = "shutdown.drain_timeout"

# Metrics.
PREFIX = "tidegate_"
CONNECTIONS = PREFIX + "connections"
REFUSED_CONNECTIONS = PREFIX + "connections_refused_total"
ACCEPTED = PREFIX + "connections_accepted_total"
ACCEPT_PAUSED = PREFIX + "accept_paused_total"
HTTP_REFUSED = PREFIX + "http_refused_total"
HANDSHAKES = PREFIX + "handshakes_total"
HANDSHAKES_REFUSED = PREFIX + "handshakes_refused_total"
MESSAGES_IN = PREFIX + "messages_received_total"
MESSAGES_OUT = PREFIX + "messages_sent_total"
BYTES_IN = PREFIX + "bytes_received_total"
BYTES_OUT = PREFIX + "bytes_sent_total"
PINGS_SENT = PREFIX + "pings_sent_total"
PUBLICATIONS = PREFIX + "publications_total"
SUPPRESSED = PREFIX + "publications_suppressed_total"
DELIVERIES = PREFIX + "deliveries_total"
PUBLISH_LAG = PREFIX + "publish_to_write_seconds"
QUEUE_BYTES = PREFIX + "queue_bytes"
DROPS = PREFIX + "drops_total"
CHANNELS = PREFIX + "channels"
SUBSCRIPTIONS = PREFIX + "subscriptions"
LIMIT_REFUSALS = PREFIX + "limit_refusals_total"
RECOVERIES = PREFIX + "recoveries_total"
MAILBOX_DEPTH = PREFIX + "mailbox_depth"
TURN_TIME = PREFIX + "turn_seconds"
CLOSES = PREFIX + "closes_total"
BUILD_INFO = PREFIX + "build_info"

# What a stock of metrics must hold whatever else is added.
EXPECTED_METRICS = [
    CONNECTIONS, HANDSHAKES, HANDSHAKES_REFUSED, MESSAGES_IN, MESSAGES_OUT, BYTES_IN, BYTES_OUT,
    PUBLISH_LAG, QUEUE_BYTES, DROPS, CLOSES, MAILBOX_DEPTH, TURN_TIME, BUILD_INFO,
]

# Close codes.
CLOSE_SHUTDOWN = 3001
CLOSE_SLOW = 3008
CLOSE_NO_PONG = 3012
