/* What a program does to the files of one folder, in the order in which it does it.
 *
 * Loaded in front of the C library (LD_PRELOAD). Each call that changes a file directly in the folder RECORD_FOLDER is made
 * and appended to the file RECORD_TRACE under one lock: the order of the records is the order of the effects. Waiting for
 * the disk is recorded only, not done: what would be lost is the replay's business (disk.rs), and so it takes no time.
 *
 * A file that is shared memory (-shm) is left out: it is mapped, not written, and means nothing after a power cut. What
 * else could change a file (a copy of its descriptor, fallocate, ...) the program does not use; were it to, what is
 * replayed would not be what lies in the folder, and the test holds the two against each other.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* As trace.rs reads them. */
enum kind { CREATE = 1, WRITE, TRUNCATE, SYNC, REMOVE, RENAME, SYNC_FOLDER };

struct head {
	uint32_t kind;
	uint32_t name;
	uint64_t at;
	uint64_t length;
};

/* More files than the program has open before it serves; sockets beyond are none of ours. */
#define FILES 4096
#define NAME 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char names[FILES][NAME];
/* Opened files of the folder have a name, the folder itself has this one. */
static const char FOLDER[] = ".";
static char folder[PATH_MAX];
static int trace = -1;

static void fail(const char *why)
{
	dprintf(2, "the recorder gives up: %s\n", why);
	abort();
}

__attribute__((constructor)) static void begin(void)
{
	const char *in = getenv("RECORD_FOLDER"), *to = getenv("RECORD_TRACE");
	if (!in || !to || !realpath(in, folder))
		fail("RECORD_FOLDER and RECORD_TRACE are needed");
	trace = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (trace < 0)
		fail("RECORD_TRACE cannot be opened");
}

/* The next definition of a function: the C library's. */
#define REAL(type, name, ...) \
	static type (*real)(__VA_ARGS__); \
	if (!real) \
		real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static void record(enum kind kind, const char *name, uint64_t at, const void *bytes, size_t length)
{
	struct head head = { kind, (uint32_t)strlen(name), at, length };
	struct iovec parts[] = {
		{ &head, sizeof head },
		{ (void *)name, head.name },
		{ (void *)bytes, length },
	};
	ssize_t whole = (ssize_t)(sizeof head + head.name + length);
	int kept = errno;
	if (syscall(SYS_writev, trace, parts, 3) != whole)
		fail("the trace cannot be written");
	errno = kept;
}

/* The name within the folder of what lies at a whole path, or none. */
static const char *inside(const char *path)
{
	size_t length = strlen(folder);
	if (strncmp(path, folder, length) != 0)
		return NULL;
	if (path[length] == '\0')
		return FOLDER;
	const char *name = path + length + 1;
	size_t long_as = strlen(name);
	if (path[length] != '/' || strchr(name, '/') || long_as >= NAME)
		return NULL;
	if (long_as >= 4 && strcmp(name + long_as - 4, "-shm") == 0)
		return NULL;
	return name;
}

/* The same of a path as the program gives it. Its last part need not be there. */
static const char *named(const char *path, char *whole)
{
	char before[PATH_MAX], real_before[PATH_MAX];
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	size_t length = slash ? (size_t)(slash - path) + 1 : 0;
	if (length >= sizeof before)
		return NULL;
	memcpy(before, path, length);
	before[length] = '\0';
	if (!realpath(length ? before : ".", real_before))
		return NULL;
	if (snprintf(whole, PATH_MAX, "%s/%s", real_before, last) >= PATH_MAX)
		return NULL;
	return inside(whole);
}

static const char *name_of(int file)
{
	return file >= 0 && file < FILES && names[file][0] ? names[file] : NULL;
}

static int opened(int at, const char *path, int flags, mode_t mode)
{
	REAL(int, "openat64", int, const char *, int, ...);
	char link[64], target[PATH_MAX];
	struct stat found;
	pthread_mutex_lock(&lock);
	int kept = errno;
	int was_there = (flags & O_CREAT) && fstatat(at, path, &found, 0) == 0;
	errno = kept;
	int file = real(at, path, flags, mode);
	if (file >= 0) {
		kept = errno;
		snprintf(link, sizeof link, "/proc/self/fd/%d", file);
		ssize_t length = readlink(link, target, sizeof target - 1);
		target[length < 0 ? 0 : length] = '\0';
		const char *name = inside(target);
		if (name && file >= FILES)
			fail("too many files");
		if (name)
			strcpy(names[file], name);
		else if (file < FILES)
			names[file][0] = '\0';
		if (name && (flags & O_CREAT) && !was_there)
			record(CREATE, name, 0, NULL, 0);
		if (name && (flags & O_TRUNC) && was_there)
			record(TRUNCATE, name, 0, NULL, 0);
		errno = kept;
	}
	pthread_mutex_unlock(&lock);
	return file;
}

#define MODE(last) \
	mode_t mode = 0; \
	if ((last & O_CREAT) || (last & O_TMPFILE) == O_TMPFILE) { \
		va_list rest; \
		va_start(rest, last); \
		mode = va_arg(rest, mode_t); \
		va_end(rest); \
	}

int open(const char *path, int flags, ...)
{
	MODE(flags)
	return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	MODE(flags)
	return opened(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
	MODE(flags)
	return opened(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...)
{
	MODE(flags)
	return opened(at, path, flags, mode);
}

int close(int file)
{
	REAL(int, "close", int);
	pthread_mutex_lock(&lock);
	if (file >= 0 && file < FILES)
		names[file][0] = '\0';
	int closed = real(file);
	pthread_mutex_unlock(&lock);
	return closed;
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at)
{
	REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
	pthread_mutex_lock(&lock);
	ssize_t written = real(file, bytes, length, at);
	if (written > 0 && name_of(file))
		record(WRITE, name_of(file), (uint64_t)at, bytes, (size_t)written);
	pthread_mutex_unlock(&lock);
	return written;
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at)
{
	return pwrite64(file, bytes, length, at);
}

/* Only what is of the folder is written under the lock: a pipe may make its writer wait. */
static int is_ours(int file)
{
	pthread_mutex_lock(&lock);
	int ours = name_of(file) != NULL;
	pthread_mutex_unlock(&lock);
	return ours;
}

ssize_t write(int file, const void *bytes, size_t length)
{
	REAL(ssize_t, "write", int, const void *, size_t);
	if (!is_ours(file))
		return real(file, bytes, length);
	pthread_mutex_lock(&lock);
	ssize_t written = real(file, bytes, length);
	if (written > 0)
		record(WRITE, name_of(file), (uint64_t)(lseek(file, 0, SEEK_CUR) - written), bytes, (size_t)written);
	pthread_mutex_unlock(&lock);
	return written;
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
	REAL(ssize_t, "writev", int, const struct iovec *, int);
	if (!is_ours(file))
		return real(file, parts, count);
	/* One after the other is as good, and each is recorded. */
	ssize_t whole = 0;
	for (int part = 0; part < count; part++) {
		ssize_t written = write(file, parts[part].iov_base, parts[part].iov_len);
		if (written < 0)
			return whole ? whole : written;
		whole += written;
		if ((size_t)written < parts[part].iov_len)
			break;
	}
	return whole;
}

int ftruncate64(int file, off64_t length)
{
	REAL(int, "ftruncate64", int, off64_t);
	pthread_mutex_lock(&lock);
	int done = real(file, length);
	if (done == 0 && name_of(file))
		record(TRUNCATE, name_of(file), (uint64_t)length, NULL, 0);
	pthread_mutex_unlock(&lock);
	return done;
}

int ftruncate(int file, off_t length)
{
	return ftruncate64(file, length);
}

static int synced(int file, const char *how)
{
	pthread_mutex_lock(&lock);
	const char *name = name_of(file);
	if (name)
		record(strcmp(name, FOLDER) == 0 ? SYNC_FOLDER : SYNC, name, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	if (name)
		return 0;
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, how);
	return real(file);
}

int fsync(int file)
{
	return synced(file, "fsync");
}

int fdatasync(int file)
{
	return synced(file, "fdatasync");
}

int unlink(const char *path)
{
	REAL(int, "unlink", const char *);
	char whole[PATH_MAX];
	pthread_mutex_lock(&lock);
	const char *name = named(path, whole);
	int done = real(path);
	if (done == 0 && name)
		record(REMOVE, name, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return done;
}

int rename(const char *from, const char *to)
{
	REAL(int, "rename", const char *, const char *);
	char whole_from[PATH_MAX], whole_to[PATH_MAX];
	pthread_mutex_lock(&lock);
	const char *name = named(from, whole_from), *new_name = named(to, whole_to);
	int done = real(from, to);
	if (done == 0 && name && new_name)
		record(RENAME, name, 0, new_name, strlen(new_name));
	else if (done == 0 && (name || new_name))
		fail("a file was moved into the folder or out of it");
	pthread_mutex_unlock(&lock);
	return done;
}
