import { createHash } from 'node:crypto'

/*
 * What is kept for a key, all of it in one slot of a cluster and all of it with an expiry:
 *
 *   <key>     hash   token: the last one issued; id, until, first, since, label: the exclusive holder
 *   <key>:s   zset   id → end of ttl, of those who share the key
 *   <key>:q   zset   id → ticket, of those who wait
 *   <key>:a   zset   id → since when, of waiters whose process did not hear its grant: they may come back
 *   <key>:i   hash   id → record, of those who share, wait or are absent
 *
 * Times are the server's, in milliseconds. Only <key> is declared: the others follow from it and share its hash tag.
 */
const prelude = `
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = math.floor(us / 1000)
local channels, claim, keep, counted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local TTL, TOKENS, WEIGHT, CAPACITY, LABEL, UNTIL, TICKET, SINCE, TOKEN = 1, 2, 3, 4, 5, 6, 7, 8, 9
local HELD, QUEUED, GONE, FAILED = 1, 2, 3, 4

local function tell(id, message)
  return redis.call('PUBLISH', channels .. string.match(id, '^[^.]*'), message)
end

local function last(name, ms)
  if redis.call('PTTL', name) < ms then redis.call('PEXPIRE', name, ms) end
end

local function load(key)
  local state = redis.pcall('HMGET', key, 'token', 'id', 'until', 'first')
  if state.err then return nil, state.err end
  if not state[1] and redis.call('EXISTS', key) == 1 then
    return nil, 'WRONGTYPE the key holds a hash that is not a lock'
  end
  if state[2] and tonumber(state[3]) <= now then state[2] = false end
  return state
end

local function record(key, id)
  local packed = redis.call('HGET', key .. ':i', id)
  return packed and cmsgpack.unpack(packed)
end

local function write(key, id, r)
  redis.call('HSET', key .. ':i', id, cmsgpack.pack(r))
end

local function sharing(key)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key .. ':s', '-inf', now)) do
    redis.call('ZREM', key .. ':s', id)
    redis.call('HDEL', key .. ':i', id)
  end
  return redis.call('ZCARD', key .. ':s')
end

local function fits(key, state, weight, capacity)
  if state[2] then return false end
  if redis.call('EXISTS', key .. ':s') == 0 or sharing(key) == 0 then return true end
  if weight == 0 then return false end
  if capacity >= 2147483647 then return true end
  local taken = 0
  for _, id in ipairs(redis.call('ZRANGE', key .. ':s', 0, -1)) do
    local r = record(key, id)
    if r then taken = taken + r[WEIGHT] end
  end
  return taken + weight <= capacity
end

-- Above the last token, and above the time: the second holds also when the first was lost with the data.
local function nextToken(state)
  return math.max((tonumber(state[1]) or 0) + 1, us)
end

local function admit(key, state, id, r, ttl)
  local first = nextToken(state)
  state[1] = first + r[TOKENS] - 1
  if r[WEIGHT] == 0 then
    state[2], state[3], state[4] = id, now + ttl, first
    redis.call('HSET', key, 'token', state[1], 'id', id, 'until', now + ttl, 'first', first, 'since', now, 'label', r[LABEL])
  else
    redis.call('HSET', key, 'token', state[1])
    redis.call('ZADD', key .. ':s', now + ttl, id)
    r[SINCE], r[TOKEN] = now, first
    write(key, id, r)
    last(key .. ':s', ttl)
    last(key .. ':i', ttl)
  end
  redis.call('PEXPIRE', key, keep + ttl)
  return first
end

local function leave(key, id)
  redis.call('ZREM', key .. ':q', id)
  redis.call('ZREM', key .. ':a', id)
  redis.call('HDEL', key .. ':i', id)
end

-- A process that did not hear its grant is dead, or its subscription is down and will come back for its place.
local function absent(key, id)
  redis.call('ZADD', key .. ':a', now, id)
  last(key .. ':a', 60000)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', key .. ':a', '-inf', now - 30000, 'LIMIT', 0, 100)) do leave(key, gone) end
end

-- Grants to whoever is in front, for as long as there is room, and tells them. "me" asks right now: it need not be told.
local function serve(key, state, me)
  for _ = 1, 10000 do
    local id = redis.call('ZRANGE', key .. ':q', 0, 0)[1]
    if not id then return end
    local r = record(key, id)
    if not r or r[UNTIL] <= now then
      leave(key, id)
    elseif not fits(key, state, r[WEIGHT], r[CAPACITY]) then
      return
    else
      redis.call('ZREM', key .. ':q', id)
      local ttl = id == me and r[TTL] or math.min(r[TTL], claim)
      local heard = id == me and 1
        or tell(id, string.format('g %s %.0f %d %.0f %d', id, nextToken(state), r[TOKENS], now, ttl))
      if heard == 0 and counted then
        absent(key, id)
      else
        if r[WEIGHT] == 0 then redis.call('HDEL', key .. ':i', id) end
        admit(key, state, id, r, ttl)
      end
    end
  end
end

local function left(key, state)
  if state[2] then return state[3] - now end
  local first = redis.call('ZRANGE', key .. ':s', 0, 0, 'WITHSCORES')
  return first[2] and math.max(0, first[2] - now) or 0
end

-- Code, value and count of an id that is known already.
local function standing(key, state, id)
  if state[2] == id then return HELD, tonumber(state[4]), state[1] - state[4] + 1 end
  local untilMs = redis.call('ZSCORE', key .. ':s', id)
  if untilMs and tonumber(untilMs) > now then
    local r = record(key, id)
    if r then return HELD, r[TOKEN], r[TOKENS] end
  end
  if redis.call('ZSCORE', key .. ':q', id) then return QUEUED, left(key, state), 0 end
end

local reply = { now }
local function answer(code, value, count)
  reply[#reply + 1] = code
  reply[#reply + 1] = value
  reply[#reply + 1] = count
end
`

const acquireBody = `
local at = 4
for _, key in ipairs(KEYS) do
  local id, ttl, wait, tokens, weight, capacity, label =
    ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]), ARGV[at + 7]
  at = at + 7
  local state, err = load(key)
  local r = { ttl, tokens, weight, capacity, label, now + wait, 0, now, 0 }
  local alone = not err and redis.call('EXISTS', key .. ':q', key .. ':s', key .. ':a') == 0
  if err then
    answer(FAILED, err, 0)
  elseif alone and not state[2] then
    answer(HELD, admit(key, state, id, r, ttl), tokens)
  else
    if not alone then serve(key, state, id) end
    local code, value, count = standing(key, state, id)
    if code then
      answer(code, value, count)
    elseif redis.call('EXISTS', key .. ':q') == 0 and fits(key, state, weight, capacity) then
      answer(HELD, admit(key, state, id, r, ttl), tokens)
    elseif wait > 0 then
      local newest = redis.call('ZRANGE', key .. ':q', -1, -1, 'WITHSCORES')
      r[TICKET] = (tonumber(newest[2]) or 0) + 1
      redis.call('ZADD', key .. ':q', r[TICKET], id)
      write(key, id, r)
      last(key .. ':q', wait)
      last(key .. ':i', wait)
      answer(QUEUED, left(key, state), 0)
    else
      answer(GONE, left(key, state), 0)
    end
  end
end
return reply`

const renewBody = `
local at = 4
for _, key in ipairs(KEYS) do
  local id, ttl, wait = ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  at = at + 3
  local state, err = load(key)
  if err then
    answer(FAILED, err, 0)
  elseif state[2] == id then
    redis.call('HSET', key, 'until', now + ttl)
    redis.call('PEXPIRE', key, keep + ttl)
    answer(standing(key, state, id))
  else
    local r = record(key, id)
    if r and r[TOKEN] > 0 then
      if sharing(key) > 0 and redis.call('ZSCORE', key .. ':s', id) then
        redis.call('ZADD', key .. ':s', now + ttl, id)
        last(key .. ':s', ttl)
        last(key .. ':i', ttl)
        answer(HELD, r[TOKEN], r[TOKENS])
      else
        answer(GONE, -1, 0)
      end
    elseif r then
      r[UNTIL] = now + wait
      write(key, id, r)
      if redis.call('ZREM', key .. ':a', id) == 1 then redis.call('ZADD', key .. ':q', r[TICKET], id) end
      last(key .. ':q', wait)
      last(key .. ':i', wait)
    end
    if not r or r[TOKEN] == 0 then
      serve(key, state, id)
      local code, value, count = standing(key, state, id)
      answer(code or GONE, value or -1, count or 0)
    end
  end
end
return reply`

const releaseBody = `
local at = 4
for _, key in ipairs(KEYS) do
  local id = ARGV[at + 1]
  at = at + 1
  local state, err = load(key)
  if err then
    answer(FAILED, err, 0)
  elseif state[2] == id then
    redis.call('HDEL', key, 'id', 'until')
    state[2] = false
    serve(key, state)
    answer(HELD, 0, 0)
  else
    local held = redis.call('ZSCORE', key .. ':s', id)
    redis.call('ZREM', key .. ':s', id)
    leave(key, id)
    serve(key, state)
    answer(held and tonumber(held) > now and HELD or GONE, 0, 0)
  end
end
return reply`

const evictBody = `
local key, word = KEYS[1], ARGV[5]
local state, err = load(key)
if err then return redis.error_reply(err) end
local ids = {}
if state[2] then ids[1] = state[2] end
if sharing(key) > 0 then
  for _, id in ipairs(redis.call('ZRANGE', key .. ':s', 0, -1)) do ids[#ids + 1] = id end
end
for _, id in ipairs(ids) do
  tell(id, word .. ' ' .. id)
  if word == 'l' then
    if state[2] == id then
      redis.call('HDEL', key, 'id', 'until')
      state[2] = false
    end
    redis.call('ZREM', key .. ':s', id)
    leave(key, id)
  end
end
if word == 'l' then serve(key, state) end
return #ids`

const inspectBody = `
local key = KEYS[1]
local state, err = load(key)
if err then return redis.error_reply(err) end
local parties = {}
local function party(role, id, r, sinceMs, untilMs)
  parties[#parties + 1] = {
    role, id, r[LABEL], string.format('%.0f', r[TOKEN]), now - sinceMs, untilMs - now, r[WEIGHT], r[CAPACITY]
  }
end
if state[2] then
  local more = redis.call('HMGET', key, 'since', 'label')
  party('h', state[2], { 0, 0, 0, 0, more[2] or '', 0, 0, 0, tonumber(state[4]) }, tonumber(more[1]), tonumber(state[3]))
end
sharing(key)
local shared = redis.call('ZRANGE', key .. ':s', 0, -1, 'WITHSCORES')
for n = 1, #shared, 2 do
  local r = record(key, shared[n])
  if r then party('h', shared[n], r, r[SINCE], tonumber(shared[n + 1])) end
end
for _, id in ipairs(redis.call('ZRANGE', key .. ':q', 0, 999)) do
  local r = record(key, id)
  if r and r[UNTIL] > now then party('q', id, r, r[SINCE], r[UNTIL]) end
end
return parties`

/** A script and the name under which the server knows it once it has run. */
export interface Script {
  readonly text: string
  readonly sha: string
}

function script(body: string): Script {
  const text = prelude + body
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

export const acquireScript: Script = script(acquireBody)
export const renewScript: Script = script(renewBody)
export const releaseScript: Script = script(releaseBody)
export const evictScript: Script = script(evictBody)
export const inspectScript: Script = script(inspectBody)
