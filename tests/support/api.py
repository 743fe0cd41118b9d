"""A client of the HTTP API for services: one kept-alive connection."""

import http.client
import json


class Answer:
    """What a call came back with."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    @property
    def result(self):
        value = self.json()
        assert "result" in value, f"expected a result, got {value}"
        return value["result"]

    @property
    def error(self):
        value = self.json()
        assert "error" in value, f"expected an error, got {value}"
        return value["error"]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Api:
    """Api(address, key).call("publish", {...}) -> Answer."""

    def __init__(self, address, key=None, timeout=15):
        self.connection = http.client.HTTPConnection(*address, timeout=timeout)
        self.key = key

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def post(self, path, body, headers=None):
        every = {"Content-Type": "application/json"}
        if self.key is not None:
            every["X-API-Key"] = self.key
        every.update(headers or {})
        self.connection.request("POST", path, body, every)
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def call(self, method, params=None, headers=None):
        return self.post(f"/api/{method}", json.dumps(params if params is not None else {}),
                         headers)

    def publish(self, channel, data, **more):
        """Publishes and returns the result; an error fails the test."""
        return self.call("publish", {"channel": channel, "data": data, **more}).result

    def history(self, channel, **more):
        return self.call("history", {"channel": channel, **more}).result
