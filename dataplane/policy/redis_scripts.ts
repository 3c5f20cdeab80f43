import { RedisAlgorithm } from "../../proto/gen/novaedge/v1/config.ts";

/**
 * Scripts that count one request. KEYS[1] is the counted key; ARGV are the milliseconds in which a token
 * comes back, the milliseconds of a window (those in which all tokens come back), and the tokens. Time is
 * the server's, so gateways need not agree on it. They return what to wait (0: admitted), what remains,
 * and when all is there again.
 */

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local interval, window, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function answer(wait, remaining, full)
  return { string.format('%.3f', wait), string.format('%d', remaining), string.format('%.3f', full) }
end
`;

/** The generic cell rate algorithm, as the gateway's own buckets have it. */
const TOKEN_BUCKET = `${NOW}
local full = tonumber(redis.call('GET', KEYS[1]) or 0)
if full < now then full = now end
local wait = full + interval - now - window
if wait > interval * 0.000001 then return answer(wait, 0, full - now) end
full = full + interval
redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil(full - now) + 1)
return answer(0, math.floor((window - full + now) / interval + 0.000001), full - now)
`;

/** As many as there are tokens in each window of the clock. */
const FIXED_WINDOW = `${NOW}
local number = math.floor(now / window)
local left = (number + 1) * window - now
local key = KEYS[1] .. ':' .. string.format('%d', number)
local count = tonumber(redis.call('GET', key) or 0)
if count >= burst then return answer(left, 0, left) end
redis.call('INCR', key)
redis.call('PEXPIRE', key, math.ceil(left) + 1)
return answer(0, burst - count - 1, left)
`;

/**
 * As before, with the share of the last window that is not yet past. That share is a fraction: rounding it
 * keeps the rate; rounding it up would cost half a request in each window.
 */
const SLIDING_WINDOW = `${NOW}
local number = math.floor(now / window)
local passed = now / window - number
local key = KEYS[1] .. ':' .. string.format('%d', number)
local before = tonumber(redis.call('GET', KEYS[1] .. ':' .. string.format('%d', number - 1)) or 0)
local count = tonumber(redis.call('GET', key) or 0)
local used = before * (1 - passed) + count
if used + 0.5 > burst then
  local wait = (1 - passed) * window
  if before > 0 then wait = math.min(wait, (used + 0.5 - burst) / before * window) end
  return answer(math.max(wait, 1), 0, (2 - passed) * window)
end
redis.call('INCR', key)
redis.call('PEXPIRE', key, math.ceil(2 * window) + 1)
return answer(0, math.max(0, math.floor(burst - used - 0.5)), (2 - passed) * window)
`;

export const REDIS_SCRIPTS: Readonly<Record<number, string>> = {
  [RedisAlgorithm.REDIS_ALGORITHM_FIXED_WINDOW]: FIXED_WINDOW,
  [RedisAlgorithm.REDIS_ALGORITHM_SLIDING_WINDOW]: SLIDING_WINDOW,
  [RedisAlgorithm.REDIS_ALGORITHM_TOKEN_BUCKET]: TOKEN_BUCKET,
};
