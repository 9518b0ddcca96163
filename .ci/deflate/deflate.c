/*
 * The compressor of `package build` as WebAssembly: libdeflate's, for blocks that are joined to one deflate stream.
 *
 * libdeflate ends what it compresses with a final block. build.sh changes that one bit, and here an empty stored block
 * follows instead, as zlib's Z_SYNC_FLUSH writes it: the next block begins at a whole byte.
 */
#define FREESTANDING
#include "lib/deflate_open.c"
#include "lib/utils.c"

#define EXPORT(name) __attribute__((export_name(name)))
#define PAGE 65536

extern unsigned char __heap_base;

static size_t heap_top;
static struct libdeflate_compressor *compressor;
static u8 *in;
static u8 *out;
static size_t out_size;

/* Memory is taken once, at init, and never freed. */
static void *take(size_t bytes)
{
	size_t at, pages;

	if (heap_top == 0)
		heap_top = ((size_t)&__heap_base + 15) & ~(size_t)15;
	at = heap_top;
	heap_top += (bytes + 15) & ~(size_t)15;
	pages = (heap_top + PAGE - 1) / PAGE;
	if (pages > __builtin_wasm_memory_size(0))
		__builtin_wasm_memory_grow(0, pages - __builtin_wasm_memory_size(0));
	return (void *)at;
}

static void keep(void *memory)
{
}

EXPORT("init") void init(int level, size_t block_size)
{
	struct libdeflate_options options = {
		.sizeof_options = sizeof options,
		.malloc_func = take,
		.free_func = keep,
	};

	compressor = libdeflate_alloc_compressor_ex(level, &options);
	in = take(block_size);
	out_size = libdeflate_deflate_compress_bound(compressor, block_size) + 16;
	out = take(out_size);
}

EXPORT("input") u8 *input(void)
{
	return in;
}

EXPORT("output") u8 *output(void)
{
	return out;
}

/* Compresses the first bytes of the input; returns how many there are in the output. */
EXPORT("deflate") size_t deflate(size_t bytes)
{
	struct deflate_output_bitstream os = { .next = out, .end = out + out_size };
	u64 bits;
	int count;

	if (bytes <= compressor->max_passthrough_size) {
		out[0] = 0;
		out[1] = (u8)bytes;
		out[2] = (u8)(bytes >> 8);
		out[3] = (u8)~bytes;
		out[4] = (u8)(~bytes >> 8);
		memcpy(out + 5, in, bytes);
		return bytes + 5;
	}
	(*compressor->impl)(compressor, in, bytes, &os);
	/* Three bits of an empty stored block, the rest of the byte, and its length. */
	bits = os.bitbuf;
	for (count = (int)os.bitcount + 3; count > 0; count -= 8) {
		*os.next++ = (u8)bits;
		bits >>= 8;
	}
	memcpy(os.next, "\0\0\xff\xff", 4);
	return os.next + 4 - out;
}
