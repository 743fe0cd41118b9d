// Static files. The path is decoded once, judged segment by segment, and opened beneath the root by
// the kernel itself (openat2, RESOLVE_BENEATH): links inside the folder work, links out of it do
// not. Where openat2 is missing, each segment is opened without following any link. Owner: the
// worker. Lifetime: the root descriptor lives from files_init() to files_finish(). Invariant:
// nothing outside the root, no name that begins with a dot, only regular files.
#include "tidegate/http/files.h"

#include "file_share.h"

#include "tidegate/base/assert.h"
#include "tidegate/base/blob.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/mem.h"
#include "tidegate/codec/url.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#define SHARE_MIN (64 << 10) // smaller files are copied for each reader

static const struct {
    const char *ending;
    const char *type;
} type_rows[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"ico", "image/x-icon"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"xml", "text/xml; charset=utf-8"},
    {"woff2", "font/woff2"},
    {"wasm", "application/wasm"},
};

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < ARRAY_LEN(type_rows); i++) {
        if (bytes_equal_nocase(bytes_str(dot + 1), bytes_str(type_rows[i].ending))) {
            return type_rows[i].type;
        }
    }
    return "application/octet-stream";
}

// Whether a decoded path may be looked for: relative, no empty segment, no dotfile, no backslash.
// That leaves no "." and ".." either. A '/' at the end is allowed.
static bool path_is_clean(struct bytes path)
{
    for (size_t i = 0; i < path.len; i++) {
        bool begins = i == 0 || path.at[i - 1] == '/';
        if (path.at[i] == '\0' || path.at[i] == '\\' ||
            (begins && (path.at[i] == '.' || path.at[i] == '/'))) {
            return false;
        }
    }
    return true;
}

// One segment after the other, following no link at all.
static int open_walk(int root_fd, char *path)
{
    int fd = root_fd;
    for (char *name = path; name != NULL;) {
        char *slash = strchr(name, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
        int flags = OPEN_FLAGS | O_NOFOLLOW | (slash != NULL ? O_DIRECTORY : 0);
        int next = openat(fd, name, flags);
        int error = errno;
        if (fd != root_fd) {
            close(fd);
        }
        if (next < 0) {
            return -error;
        }
        fd = next;
        if (slash != NULL) {
            *slash = '/';
        }
        name = slash != NULL ? slash + 1 : NULL;
    }
    return fd;
}

// Opens a clean path: the descriptor, or -errno.
static int open_beneath(int root_fd, char *path)
{
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
    if (fd >= 0) {
        return (int)fd;
    }
    // Sandboxes answer EPERM for calls they do not know.
    if (errno == ENOSYS || errno == EPERM) {
        return open_walk(root_fd, path);
    }
    return -errno;
}

// RFC 9110 §8.8.3, §13.1.2: weak comparison with any of the list, or "*".
static bool etag_matches(const struct http_request *request, const char *etag)
{
    struct bytes list;
    struct bytes part;
    if (!http_request_header(request, "if-none-match", &list)) {
        return false;
    }
    while (bytes_next_part(&list, ',', &part)) {
        part = bytes_trim(part);
        if (bytes_starts_with(part, BYTES_OF("W/"))) {
            part = bytes_skip(part, 2);
        }
        if (bytes_equal(part, bytes_str(etag)) || bytes_equal(part, BYTES_OF("*"))) {
            return true;
        }
    }
    return false;
}

// The whole file, or NULL when it cannot be read or changed its size meanwhile.
static struct blob *read_whole(int fd, size_t size)
{
    struct blob *blob = blob_try_create(size);
    size_t at = 0;
    while (blob != NULL && at < size) {
        ssize_t n = read(fd, blob->data + at, size - at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            blob_unref(blob);
            return NULL;
        }
        at += (size_t)n;
    }
    return blob;
}

// The bytes of a file, those that somebody else is being sent if there are such.
static struct blob *file_bytes(struct files_target *files, int fd, const struct stat *st)
{
    if (st->st_size < SHARE_MIN) {
        return read_whole(fd, (size_t)st->st_size);
    }
    file_share_prune(&files->shares);
    struct blob *blob = file_share_find(files->shares, st);
    if (blob == NULL) {
        blob = read_whole(fd, (size_t)st->st_size);
        if (blob != NULL) {
            file_share_add(&files->shares, st, blob);
        }
    }
    return blob;
}

static void send_file(struct http_exchange *exchange, int fd, const struct stat *st,
                      const char *name)
{
    struct files_target *files = container_of(exchange->match.target, struct files_target, target);
    char etag[72];
    char modified[40];
    char headers[256];
    struct tm tm;

    snprintf(etag, sizeof(etag), "\"%llx-%llx-%llx\"", (unsigned long long)st->st_size,
             (unsigned long long)st->st_mtim.tv_sec * 1000000000ull +
                 (unsigned long long)st->st_mtim.tv_nsec,
             (unsigned long long)st->st_ino);
    gmtime_r(&st->st_mtim.tv_sec, &tm);
    strftime(modified, sizeof(modified), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    int len = snprintf(headers, sizeof(headers),
                       "ETag: %s\r\nLast-Modified: %s\r\nCache-Control: no-cache\r\n"
                       "X-Content-Type-Options: nosniff\r\n",
                       etag, modified);
    assert_always(len > 0 && (size_t)len < sizeof(headers));
    struct http_response response = {.status = 200, .headers = {headers, (size_t)len}};
    if (etag_matches(&exchange->request, etag)) {
        response.status = 304;
        http_respond(exchange, &response);
        return;
    }
    response.content_type = type_of(name);
    if (exchange->request.method == HTTP_HEAD) {
        response.body = bytes_make("", (size_t)st->st_size); // its length is told, none of it read
        http_respond(exchange, &response);
        return;
    }
    response.body_blob = file_bytes(files, fd, st);
    if (response.body_blob == NULL) {
        http_refuse(exchange, 500, "the file cannot be read", BYTES_EMPTY);
        return;
    }
    http_respond(exchange, &response);
}

// A folder asked for without its '/': relative links in its index would miss it.
static void redirect_to_folder(struct http_exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    // The path comes from a request head: no byte in it can end a header line.
    struct buf headers;
    buf_init(&headers, request->target.len + 64);
    int r = buf_printf(&headers, "Location: %.*s/%s%.*s\r\n", (int)request->path.len,
                       request->path.at, request->query.len > 0 ? "?" : "", (int)request->query.len,
                       request->query.len > 0 ? request->query.at : "");
    if (r < 0) {
        http_refuse(exchange, 503, "out of memory", BYTES_EMPTY);
    } else {
        struct http_response response = {.status = 301, .headers = buf_bytes(&headers)};
        http_respond(exchange, &response);
    }
    buf_finish(&headers);
}

static void send_opened(struct http_exchange *exchange, int fd, const char *path)
{
    struct stat st;
    size_t len = strlen(path);

    if (fstat(fd, &st) < 0) {
        http_refuse(exchange, 500, "the file cannot be read", BYTES_EMPTY);
    } else if (S_ISDIR(st.st_mode) && len > 0 &&
               !bytes_starts_with(exchange->request.path, BYTES_OF("//"))) {
        redirect_to_folder(exchange); // never to "//host/", which is another place
    } else if (!S_ISREG(st.st_mode)) {
        http_refuse(exchange, 404, "no such file", BYTES_EMPTY);
    } else if (st.st_size > (off_t)FILES_SIZE_MAX) {
        http_refuse(exchange, 403, "the file is too large to be served", BYTES_EMPTY);
    } else {
        send_file(exchange, fd, &st, path);
    }
}

// The file a request asks for, as a path beneath the root: false when it cannot be one.
static bool path_of(const struct files_target *files, const struct http_exchange *exchange,
                    char *to, size_t size)
{
    struct bytes raw = BYTES_EMPTY;
    (void)router_param(&exchange->match, "*", &raw);
    size_t index_len = strlen(files->index);
    if (raw.len + index_len + 1 > size) {
        return false;
    }
    ptrdiff_t len = url_decode(raw, false, to);
    if (len < 0 || !path_is_clean(bytes_make(to, (size_t)len))) {
        return false;
    }
    if (len == 0 || to[len - 1] == '/') {
        memcpy(to + len, files->index, index_len);
        len += (ptrdiff_t)index_len;
    }
    to[len] = '\0';
    return true;
}

static void files_on_request(struct http_target *target, struct http_exchange *exchange)
{
    struct files_target *files = container_of(target, struct files_target, target);
    char path[PATH_MAX];

    int fd =
        path_of(files, exchange, path, sizeof(path)) ? open_beneath(files->root_fd, path) : -ENOENT;
    if (fd >= 0) {
        send_opened(exchange, fd, path);
        close(fd);
        return;
    }
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) {
        http_refuse(exchange, 503, "no resources to open the file", BYTES_EMPTY);
        return;
    }
    // Whether a file is missing or not to be seen is nobody's business.
    http_refuse(exchange, 404, "no such file", BYTES_EMPTY);
}

int files_init(struct files_target *files, const char *root, const char *index)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    *files = (struct files_target){
        .target = {.methods = (1u << HTTP_GET) | (1u << HTTP_HEAD),
                   .serves = ~0u,
                   .on_request = files_on_request},
        .root_fd = fd,
        .index = mem_strdup(index),
    };
    return 0;
}

void files_finish(struct files_target *files)
{
    file_share_finish(&files->shares);
    close(files->root_fd);
    mem_free(files->index);
}
