"""Test cases that own a gateway: one for the class, checked when it stops."""

import json
import unittest

from support import gateway


class GatewayCase(unittest.TestCase):
    """One gateway for all tests of the class, with `config`."""

    config = gateway.BASE
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.gateway = gateway.Gateway(cls.make_config(), **cls.options).start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()

    @classmethod
    def make_config(cls):
        return cls.config

    def setUp(self):
        self.assertTrue(self.gateway.is_running(), "the gateway has ended")


class AsyncGatewayCase(unittest.IsolatedAsyncioTestCase):
    """The same for tests that are coroutines."""

    config = gateway.BASE
    options = {}
    setUpClass = GatewayCase.__dict__["setUpClass"]
    tearDownClass = GatewayCase.__dict__["tearDownClass"]
    make_config = GatewayCase.__dict__["make_config"]

    def setUp(self):
        self.assertTrue(self.gateway.is_running(), "the gateway has ended")


def assert_refusal(test, response, status):
    """A refusal has the status, a JSON object saying why, and a length."""
    test.assertEqual(response.status, status, response)
    test.assertIn("application/json", response.header("content-type", ""), response)
    value = json.loads(response.body)
    test.assertIsInstance(value, dict)
    test.assertTrue(value, "an empty object says nothing")
