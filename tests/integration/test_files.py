"""Static files: types, validators, and nothing outside the folder."""

import os
import unittest

from support import cases, gateway, httpraw

FILES = {
    "index.html": b"<p>start</p>\n",
    "page.css": b"p { color: red }\n",
    "page.js": b"// nothing\n",
    "data.json": b"{}\n",
    "picture.svg": b"<svg/>\n",
    "picture.png": b"\x89PNG\r\n",
    "notes.txt": "grüße\n".encode(),
    "unknown.bin7": b"\x00\x01",
    "empty.txt": b"",
    "big.bin": bytes(range(256)) * 4096,
    "with space.txt": b"space\n",
    "sub/index.html": b"<p>sub</p>\n",
    "sub/deep.txt": b"deep\n",
    ".hidden": b"secret\n",
    ".git/config": b"secret\n",
    "sub/.env": b"secret\n",
}
TYPES = {
    "index.html": "text/html", "page.css": "text/css", "page.js": "javascript",
    "data.json": "application/json", "picture.svg": "image/svg+xml", "picture.png": "image/png",
    "notes.txt": "text/plain", "unknown.bin7": "application/octet-stream",
}


class Files(cases.GatewayCase):
    """A folder with a little of everything, and a secret beside it."""

    @classmethod
    def setUpClass(cls):
        config = gateway.settings(routes=[
            {"path": "/*", "kind": "files", "root": "site"},
            {"path": "/static/*", "kind": "files", "root": "site/sub"},
            {"path": "/echo", "kind": "echo"},
        ])
        cls.gateway = gateway.Gateway(config)
        site = cls.gateway.folder / "site"
        for name, content in FILES.items():
            file = site / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        (cls.gateway.folder / "secret.txt").write_bytes(b"secret\n")
        (cls.gateway.folder / "site-secret").mkdir()
        (cls.gateway.folder / "site-secret" / "x.txt").write_bytes(b"secret\n")
        os.symlink("/etc/passwd", site / "link-out.txt")
        os.symlink("..", site / "sub" / "up")
        os.mkfifo(site / "pipe")
        cls.gateway.start()

    def get(self, path, headers=(), method="GET"):
        return httpraw.request(self.gateway.address(), method, path, headers)

    def test_each_file_comes_with_its_type_and_whole(self):
        for name, kind in TYPES.items():
            with self.subTest(name=name):
                response = self.get("/" + name)
                self.assertEqual(response.status, 200)
                self.assertIn(kind, response.header("content-type"))
                self.assertEqual(response.body, FILES[name])

    def test_text_says_that_it_is_utf_8(self):
        for name in ("index.html", "notes.txt"):
            self.assertIn("utf-8", self.get("/" + name).header("content-type").lower())

    def test_a_browser_is_told_not_to_guess_types(self):
        self.assertEqual(self.get("/notes.txt").header("x-content-type-options"), "nosniff")

    def test_a_folder_gives_its_index(self):
        self.assertEqual(self.get("/").body, FILES["index.html"])
        self.assertEqual(self.get("/sub/").body, FILES["sub/index.html"])

    def test_an_empty_and_a_large_file_come_whole(self):
        self.assertEqual(self.get("/empty.txt").body, b"")
        self.assertEqual(self.get("/big.bin").body, FILES["big.bin"])

    def test_a_query_does_not_change_the_file(self):
        self.assertEqual(self.get("/page.css?v=3").body, FILES["page.css"])

    def test_percent_codes_in_a_name_are_read(self):
        self.assertEqual(self.get("/with%20space.txt").body, FILES["with space.txt"])

    def test_the_most_specific_route_wins(self):
        self.assertEqual(self.get("/static/deep.txt").body, FILES["sub/deep.txt"])
        self.assertEqual(self.get("/echo").status, 426)

    def test_an_etag_saves_sending_it_again(self):
        first = self.get("/page.js")
        tag = first.header("etag")
        self.assertTrue(tag.strip("W/").startswith('"'), tag)
        for value in (tag, f'"other", {tag}', "*"):
            with self.subTest(value=value):
                again = self.get("/page.js", [("If-None-Match", value)])
                self.assertEqual((again.status, again.body), (304, b""))
                self.assertEqual(again.header("etag"), tag)
        self.assertEqual(self.get("/page.js", [("If-None-Match", '"other"')]).status, 200)

    def test_a_changed_file_has_another_etag(self):
        file = self.gateway.folder / "site" / "changing.txt"
        file.write_text("one\n", encoding="utf-8")
        first = self.get("/changing.txt")
        file.write_text("two and more\n", encoding="utf-8")
        second = self.get("/changing.txt")
        self.assertNotEqual(first.header("etag"), second.header("etag"))
        self.assertEqual(second.body, b"two and more\n")

    def test_nothing_outside_the_folder_is_given(self):
        for path in ("/../secret.txt", "/sub/../../secret.txt", "/%2e%2e/secret.txt",
                     "/..%2fsecret.txt", "/sub/%2e%2e%2f%2e%2e%2fsecret.txt", "/..\\secret.txt",
                     "//etc/passwd", "/%2fetc/passwd", "/static/../../secret.txt",
                     "/../site-secret/x.txt", "/....//secret.txt", "/secret.txt",
                     "/link-out.txt", "/sub/up/../secret.txt", "/%252e%252e/secret.txt",
                     "/..%00/secret.txt", "/index.html%00.txt", "/%c0%ae%c0%ae/secret.txt",
                     "/static/up/index.html"):
            with self.subTest(path=path):
                response = self.get(path)
                self.assertIn(response.status, (400, 403, 404), response)
                self.assertNotIn(b"secret\n", response.body)
                self.assertNotIn(b"root:", response.body)

    def test_nothing_hidden_is_given(self):
        for path in ("/.hidden", "/.git/config", "/sub/.env", "/%2ehidden", "/./.hidden"):
            with self.subTest(path=path):
                response = self.get(path)
                self.assertIn(response.status, (400, 403, 404), response)

    def test_what_is_no_file_is_not_given_and_blocks_nobody(self):
        self.assertIn(self.get("/pipe").status, (403, 404))
        self.assertEqual(self.get("/page.css").status, 200)

    def test_a_missing_file_is_404_with_a_reason(self):
        cases.assert_refusal(self, self.get("/nothing.here"), 404)

    def test_posting_to_files_is_405(self):
        cases.assert_refusal(self, self.get("/page.css", method="POST"), 405)

    def test_head_has_the_length_and_no_body(self):
        with httpraw.Connection(self.gateway.address()) as connection:
            connection.send(httpraw.head_of("HEAD", "/big.bin"))
            response = connection.read_response(head=True)
            self.assertEqual(response.header("content-length"), str(len(FILES["big.bin"])))
            connection.send(httpraw.head_of("GET", "/page.css"))
            self.assertEqual(connection.read_response().body, FILES["page.css"])


if __name__ == "__main__":
    unittest.main()
