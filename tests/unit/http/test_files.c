// Static files: what is served and how, and that nothing outside the folder ever is.
#include "tidegate/http/files.h"

#include "rig.h"

#include <stdlib.h>
#include <sys/stat.h>

static struct rig rig;
static struct files_target files;
static char top[64];

static void put_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", top, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file, "%s", path);
    fputs(text, file);
    fclose(file);
}

static void put_folder(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", top, name);
    cr_assert_eq(mkdir(path, 0755), 0);
}

static void put_link(const char *to, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", top, name);
    cr_assert_eq(symlink(to, path), 0);
}

static void begin(void)
{
    char root[128];
    strcpy(top, "/tmp/tidegate-files-XXXXXX");
    cr_assert_not_null(mkdtemp(top));
    put_file("secret.txt", "SECRET");
    put_folder("www");
    put_folder("www/sub");
    put_folder("www/.git");
    put_file("www/index.html", "<p>index</p>");
    put_file("www/a.txt", "text of a");
    put_file("www/a b.txt", "with a space");
    put_file("www/app.JS", "let x;");
    put_file("www/noend", "raw");
    put_file("www/.hidden", "SECRET");
    put_file("www/.git/config", "SECRET");
    put_file("www/sub/index.html", "<p>sub</p>");
    put_link("../secret.txt", "www/out.txt");
    put_link("/etc/passwd", "www/abs.txt");
    put_link("..", "www/up");
    put_link("a.txt", "www/in.txt");
    rig_begin(&rig);
    snprintf(root, sizeof(root), "%s/www", top);
    cr_assert_eq(files_init(&files, root, "index.html"), 0);
    cr_assert_eq(router_add(rig.router, NULL, "/s/*", &files.target), 0);
    cr_assert_eq(router_add(rig.router, NULL, "/home", &files.target), 0);
}

static void end(void)
{
    char command[128];
    rig_end(&rig);
    files_finish(&files);
    snprintf(command, sizeof(command), "rm -rf '%s'", top);
    cr_assert_eq(system(command), 0);
}

TestSuite(files, .init = begin, .fini = end);

static int get_with(const char *path, const char *headers)
{
    char request[512];
    buf_clear(&rig.out);
    int len =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, headers);
    rig_send(&rig, bytes_make(request, (size_t)len));
    return rig_status(&rig);
}

static int get(const char *path)
{
    return get_with(path, "");
}

Test(files, a_file_comes_with_its_type)
{
    cr_assert_eq(get("/s/a.txt"), 200);
    cr_assert(rig_saw(&rig, "Content-Type: text/plain; charset=utf-8\r\n"));
    cr_assert(rig_saw(&rig, "X-Content-Type-Options: nosniff\r\n"));
    cr_assert(rig_saw(&rig, "Cache-Control: no-cache\r\n"));
    cr_assert(rig_saw(&rig, "Last-Modified: "));
    cr_assert(rig_saw(&rig, "\r\n\r\ntext of a"));
    cr_assert_eq(get("/s/app.JS"), 200);
    cr_assert(rig_saw(&rig, "Content-Type: text/javascript; charset=utf-8\r\n"));
    cr_assert_eq(get("/s/noend"), 200);
    cr_assert(rig_saw(&rig, "Content-Type: application/octet-stream\r\n"));
}

Test(files, the_index_is_served_for_folders)
{
    cr_assert_eq(get("/s/"), 200);
    cr_assert(rig_saw(&rig, "<p>index</p>"));
    cr_assert(rig_saw(&rig, "Content-Type: text/html; charset=utf-8\r\n"));
    cr_assert_eq(get("/s/sub/"), 200);
    cr_assert(rig_saw(&rig, "<p>sub</p>"));
    cr_assert_eq(get("/home"), 200);
    cr_assert(rig_saw(&rig, "<p>index</p>"));
}

Test(files, a_folder_without_its_slash_is_sent_to_it)
{
    cr_assert_eq(get("/s/sub?x=1"), 301);
    cr_assert(rig_saw(&rig, "Location: /s/sub/?x=1\r\n"));
}

Test(files, escapes_are_decoded_once)
{
    cr_assert_eq(get("/s/a%20b.txt"), 200);
    cr_assert(rig_saw(&rig, "with a space"));
    cr_assert_eq(get("/s/%61.txt?query"), 200);
    cr_assert_eq(get("/s/a%2520b.txt"), 404);
    cr_assert_eq(get("/s/a+b.txt"), 404);
    cr_assert_eq(get("/s/%zz"), 404);
}

Test(files, an_unchanged_file_is_not_sent_again)
{
    char header[160];
    cr_assert_eq(get("/s/a.txt"), 200);
    const char *etag = strstr(rig.out.at, "ETag: ") + 6;
    int len = (int)(strchr(etag, '\r') - etag);
    char value[100];
    snprintf(value, sizeof(value), "%.*s", len, etag);
    cr_assert_eq(value[0], '"');
    snprintf(header, sizeof(header), "If-None-Match: %s\r\n", value);
    cr_assert_eq(get_with("/s/a.txt", header), 304);
    cr_assert_not(rig_saw(&rig, "Content-Length"));
    cr_assert(rig_saw(&rig, value));
    snprintf(header, sizeof(header), "If-None-Match: \"x\", W/%s\r\n", value);
    cr_assert_eq(get_with("/s/a.txt", header), 304);
    cr_assert_eq(get_with("/s/a.txt", "If-None-Match: *\r\n"), 304);
    cr_assert_eq(get_with("/s/a.txt", "If-None-Match: \"x\"\r\n"), 200);
    put_file("www/a.txt", "another text");
    snprintf(header, sizeof(header), "If-None-Match: %s\r\n", value);
    cr_assert_eq(get_with("/s/a.txt", header), 200);
}

Test(files, nothing_outside_the_folder_is_served)
{
    static const char *const paths[] = {
        "/s/../secret.txt",    "/s/%2e%2e/secret.txt",
        "/s/..%2fsecret.txt",  "/s/sub/../../secret.txt",
        "/s//etc/passwd",      "/s/%2fetc%2fpasswd",
        "/s/out.txt",          "/s/abs.txt",
        "/s/up/secret.txt",    "/s/..%5csecret.txt",
        "/s/a.txt%00.html",    "/s/.",
        "/s/sub/./index.html", "/s/..",
        "/s/sub//index.html",  "/s/up",
    };
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        cr_expect_eq(get(paths[i]), 404, "%s %d", paths[i], rig_status(&rig));
        cr_expect_not(rig_saw(&rig, "SECRET"), "%s", paths[i]);
        cr_expect_not(rig_saw(&rig, "root:"), "%s", paths[i]);
    }
}

Test(files, links_inside_the_folder_work)
{
    cr_assert_eq(get("/s/in.txt"), 200);
    cr_assert(rig_saw(&rig, "text of a"));
}

Test(files, dotfiles_are_not_there)
{
    cr_assert_eq(get("/s/.hidden"), 404);
    cr_assert_eq(get("/s/%2ehidden"), 404);
    cr_assert_eq(get("/s/.git/config"), 404);
}

Test(files, what_is_no_file_is_not_there)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/www/pipe", top);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(get("/s/pipe"), 404);
    cr_assert_eq(get("/s/missing"), 404);
    cr_assert_eq(get("/s/a.txt/"), 404);
}

Test(files, a_file_past_the_limit_is_refused)
{
    char path[128];
    put_file("www/big.bin", "");
    snprintf(path, sizeof(path), "%s/www/big.bin", top);
    cr_assert_eq(truncate(path, (off_t)FILES_SIZE_MAX + 1), 0);
    cr_assert_eq(get("/s/big.bin"), 403);
}

Test(files, an_empty_file_is_served)
{
    put_file("www/empty.txt", "");
    cr_assert_eq(get("/s/empty.txt"), 200);
    cr_assert(rig_saw(&rig, "Content-Length: 0\r\n"));
}

Test(files, only_get_and_head_are_allowed)
{
    rig_send(&rig, BYTES_OF("POST /s/a.txt HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert_eq(rig_status(&rig), 405);
    buf_clear(&rig.out);
    rig_send(&rig, BYTES_OF("HEAD /s/a.txt HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert_eq(rig_status(&rig), 200);
    cr_assert(rig_saw(&rig, "Content-Length: 9\r\n"));
    cr_assert_not(rig_saw(&rig, "text of a"));
}

Test(files, a_root_that_is_no_folder_is_an_error)
{
    struct files_target other;
    char path[128];
    snprintf(path, sizeof(path), "%s/secret.txt", top);
    cr_assert_eq(files_init(&other, path, "index.html"), -ENOTDIR);
    cr_assert_eq(files_init(&other, "/nowhere/at/all", "index.html"), -ENOENT);
}
