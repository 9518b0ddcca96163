/**
 * Bounds of the server's work for its clients that no flag changes, each with its reason.
 *
 * @module
 */

/** Work on large answers and replays in one turn of the event loop: others wait this long at most, twice over. */
export const TURN_MS = 4;
/** Messages answered at once in a turn; those that come later in it wait for their connections' turns. */
export const MESSAGES_TURN_MS = 4;
/** Such messages of one connection before the next has its turn. */
export const MESSAGES_PIECE_MS = 0.5;
/**
 * Messages of all connections that arrive in one turn before who sent most of them is dropped: a burst that
 * the rate of requests lets pass, and its refused rest, fit; taking so many costs some 15 ms.
 */
export const MIN_TURN_MESSAGES = 4000;
/** The same for another rate of requests: so many times that of a second. */
export const TURN_MESSAGES_FACTOR = 4;
/** Bytes given to sockets in such a turn: the runtime copies and writes them before anybody else is heard. */
export const TURN_BYTES = 1024 * 1024;
/** Work on one of them before the next has its turn. */
export const TURN_PIECE_MS = 1;
/** Large answers and pages of replays that are being made at once: bounds what is half made. */
export const MAX_ACTIVE_JOBS = 4;
/** Answers and pages beyond this are sent in turn with those of other clients. */
export const LARGE_ANSWER_BYTES = 32 * 1024;
/** Longest answer: 100,000 ordinary services in one list. What is longer must be asked for in pages. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Entries' text of one page of `list_services`: a page of large entries is cut short. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Text of whole lists kept until the next change: a thousand equal requests cost one encoding. */
export const ANSWER_CACHE_BYTES = 64 * 1024 * 1024;
/** Lists kept, whatever their size: filters are chosen by clients. */
export const ANSWER_CACHE_SIZE = 256;
/** Text of history read from the store, kept for others who resume from about the same place. */
export const REPLAY_CACHE_BYTES = 8 * 1024 * 1024;
/** Reads of service logs at once: each is a command on a host, whose connection deployments use, too. */
export const MAX_LOG_READS = 4;
/** Messages of all connections that wait for their turn: some milliseconds of work for each of 10,000 clients. */
export const MAX_INBOX_BYTES = 64 * 1024 * 1024;
