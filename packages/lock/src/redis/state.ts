/**
 * How many tokens one grant may reserve, and so by how many microseconds the tokens of a key may run ahead of the
 * server's clock. A grant lives for a millisecond or more, so the clock has passed its last token before it can expire:
 * what the key says may then be lost with it, and a token that begins at the time is still greater. A grant that would
 * go further gets fewer, at the least one: no server makes more than one grant in a microsecond.
 */
export const tokensAheadMax = 1_000

/*
 * What is kept for a key that is held or wanted, all of it in one slot of a cluster and all of it with an expiry:
 *
 *   <key>     string  x<first> <tokens> <label> <id>                    held by <id>, whose tokens begin at <first>
 *                     f<first> <tokens>                                 free, and was held; only in a cluster
 *                     q<first> <tokens>                                 free, and at least one of those below exists
 *                     w<first> <tokens> <until> <since> <label> <id>    held, and at least one of those below exists
 *   <key>:s   zset    id → end of ttl, of those who share the key
 *   <key>:q   zset    id → ticket, of those who wait
 *   <key>:a   zset    id → since when, of waiters whose process did not hear its grant: they may come back
 *   <key>:i   hash    id → record, of those who share, wait or are absent
 *
 * Times are the server's, in milliseconds; an empty <label> goes with its space. The last token that was given out, for any
 * key, is the mark, one string for a prefix. It outlives every lease by a while, so that a free key needs none: a lease that
 * nobody else wants costs a SET, and at its end a GET and a DEL, and no string is taken apart. With the last token in each
 * free key a batch took the server half as long again, and with a hash in place of the string three times.
 * In a cluster, where a string of its own could not move with the slot of the key, the free key keeps its last token.
 * Only <key> is declared: the others but the mark follow from it and share its hash tag.
 */
export const head: string = `
local HELD, QUEUED, GONE, FAILED = 1, 2, 3, 4
local AHEAD = ${tokensAheadMax}
-- What claims to be the last token, and is not: no number of Lua is exact beyond.
local GARBAGE = 9007199254740992
local call, match, format, sub, byte = redis.call, string.match, string.format, string.sub, string.byte
local markKey, mark = ARGV[3] ~= '' and ARGV[3]
`

export const clock: string = `
local time = call('TIME')
local us = time[1] * 1000000 + time[2]
`

// Defining a function costs as much as a command, so what only company needs comes after the fast path.
export const prelude: string = `
local keep = tonumber(ARGV[1])
local claim, counted, channels = match(ARGV[2], '^(%d+) (%d) (.*)$')
claim, counted = tonumber(claim), counted == '1'
local now = math.floor(us / 1000)
local TTL, TOKENS, WEIGHT, CAPACITY, LABEL, UNTIL, TICKET, SINCE, TOKEN = 1, 2, 3, 4, 5, 6, 7, 8, 9

local function tell(id, message)
  return call('PUBLISH', channels .. match(id, '^[^.]*'), message)
end

local function last(name, ms)
  if call('PTTL', name) < ms then call('PEXPIRE', name, ms) end
end

local function load(key)
  local value = redis.pcall('GET', key)
  if not value then return { first = 0, tokens = 0 } end
  if type(value) == 'table' then return nil, value.err end
  local kind, first, tokens, rest = match(value, '^([fqxw])(%d+) (%d+)(.*)$')
  if kind then
    local state = { first = tonumber(first), tokens = tonumber(tokens), company = kind == 'q' or kind == 'w' }
    if kind == 'f' or kind == 'q' then return state end
    local untilMs, since, id, label
    if kind == 'x' then
      label, id = match(rest, '^(.*) (%S+)$')
      untilMs, since = now + call('PTTL', key), math.min(now, math.floor(state.first / 1000))
    else
      untilMs, since, label, id = match(rest, '^ (%d+) (%d+)(.*) (%S+)$')
    end
    if id then
      if tonumber(untilMs) > now then
        state.id, state.untilMs, state.since, state.label = id, tonumber(untilMs), tonumber(since), sub(label, 2)
      end
      return state
    end
  end
  return nil, 'WRONGTYPE the key holds a value that is not a lock'
end

-- While the slot of a key is moved, a part of what is kept for it can be on another node of the cluster. A script that found
-- out in its middle would leave undone what follows: told of a grant that was not kept, for example.
local function whole(key)
  if not counted then call('EXISTS', key, key .. ':q', key .. ':s', key .. ':a', key .. ':i') end
end

local function save(key, state)
  if markKey and not state.id and not state.company then return call('DEL', key) end
  local kept = markKey and 0 or keep
  if state.company then
    -- Outlives the others, or a newcomer would take the key for free and alone.
    for _, part in ipairs({ ':s', ':q', ':a' }) do kept = math.max(kept, call('PTTL', key .. part) + 1000) end
  end
  local value, ms = format('%d %d', state.first, state.tokens), kept
  if not state.id then
    value = (state.company and 'q' or 'f') .. value
  else
    local grant = state.label == '' and state.id or state.label .. ' ' .. state.id
    ms = state.untilMs - now
    if state.company then
      value, ms = format('w%s %d %d %s', value, state.untilMs, state.since, grant), kept + ms
    else
      value = format('x%s %s', value, grant)
    end
  end
  call('SET', key, value, 'PX', format('%d', ms))
end

local function record(key, id)
  local packed = call('HGET', key .. ':i', id)
  return packed and cmsgpack.unpack(packed)
end

local function write(key, id, r)
  call('HSET', key .. ':i', id, cmsgpack.pack(r))
end

local function sharing(key)
  for _, id in ipairs(call('ZRANGEBYSCORE', key .. ':s', '-inf', now)) do
    call('ZREM', key .. ':s', id)
    call('HDEL', key .. ':i', id)
  end
  return call('ZCARD', key .. ':s')
end

local function fits(key, state, weight, capacity)
  if state.id then return false end
  if not state.company or sharing(key) == 0 then return true end
  if weight == 0 then return false end
  if capacity >= 2147483647 then return true end
  local taken = 0
  for _, id in ipairs(call('ZRANGE', key .. ':s', 0, -1)) do
    local r = record(key, id)
    if r then taken = taken + r[WEIGHT] end
  end
  return taken + weight <= capacity
end

-- Above the last token, and above the time: the second holds also when the first was lost with the data.
local function nextTokens(state, asked)
  mark = mark or markKey and tonumber(call('GET', markKey)) or 0
  if mark >= GARBAGE then mark = 0 end
  local first = math.max(state.first + state.tokens, mark + 1, us)
  return first, math.max(1, math.min(asked, us + AHEAD - first))
end

-- Changes the state, which the caller saves.
local function admit(key, state, id, r, ttl)
  local first, tokens = nextTokens(state, r[TOKENS])
  mark = first + tokens - 1
  if markKey then call('SET', markKey, format('%d', mark), 'PX', format('%d', keep + ttl)) end
  state.first, state.tokens, r[TOKENS] = first, tokens, tokens
  if r[WEIGHT] == 0 then
    state.id, state.untilMs, state.since, state.label = id, now + ttl, now, r[LABEL]
  else
    state.company = true
    call('ZADD', key .. ':s', now + ttl, id)
    r[SINCE], r[TOKEN] = now, first
    write(key, id, r)
    last(key .. ':s', ttl)
    last(key .. ':i', ttl)
  end
  return first, tokens
end

local function leave(key, id)
  call('ZREM', key .. ':q', id)
  call('ZREM', key .. ':a', id)
  call('HDEL', key .. ':i', id)
end

-- A process that did not hear its grant is dead, or its subscription is down and will come back for its place.
local function absent(key, id)
  call('ZADD', key .. ':a', now, id)
  last(key .. ':a', 60000)
  for _, gone in ipairs(call('ZRANGEBYSCORE', key .. ':a', '-inf', now - 30000, 'LIMIT', 0, 100)) do leave(key, gone) end
end

-- Grants to whoever is in front, for as long as there is room, and tells them. "me" asks right now: it need not be told.
local function serve(key, state, me)
  if not state.company then return end
  local granted
  for _ = 1, 10000 do
    local id = call('ZRANGE', key .. ':q', 0, 0)[1]
    if not id then break end
    local r = record(key, id)
    if not r or r[UNTIL] <= now then
      leave(key, id)
    elseif not fits(key, state, r[WEIGHT], r[CAPACITY]) then
      -- If the one who was granted stays silent, somebody has to notice.
      if granted and id ~= me then tell(id, format('n %s %d', id, claim)) end
      break
    else
      call('ZREM', key .. ':q', id)
      local ttl = id == me and r[TTL] or math.min(r[TTL], claim)
      local first, tokens = nextTokens(state, r[TOKENS])
      local heard = id == me and 1 or tell(id, format('g %s %d %d %d %d', id, first, tokens, now, ttl))
      if heard == 0 and counted then
        absent(key, id)
      else
        if r[WEIGHT] == 0 then call('HDEL', key .. ':i', id) end
        admit(key, state, id, r, ttl)
        granted = id ~= me
      end
    end
  end
  state.company = call('EXISTS', key .. ':q', key .. ':s', key .. ':a') > 0
end

local function left(key, state)
  if state.id then return state.untilMs - now end
  local first = call('ZRANGE', key .. ':s', 0, 0, 'WITHSCORES')
  return first[2] and math.max(0, first[2] - now) or 0
end

-- Code, value and count of an id that is known already.
local function standing(key, state, id)
  if state.id == id then return HELD, state.first, state.tokens end
  if not state.company then return end
  local untilMs = call('ZSCORE', key .. ':s', id)
  if untilMs and tonumber(untilMs) > now then
    local r = record(key, id)
    if r then return HELD, r[TOKEN], r[TOKENS] end
  end
  if call('ZSCORE', key .. ':q', id) then return QUEUED, left(key, state), 0 end
end
`
