import { createHash } from 'node:crypto'
import { clock, head, prelude } from './state.ts'

// All ids of a call have the same length and are sent as one string: an argument for each took longer at both ends.
const acquireFast = `
local ttl, terms, signature, ids = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local asked = tonumber(sub(terms, 1, 4))
local first, count = us, asked
local width = #ids / #KEYS
local rest
if markKey then
  mark = us + count - 1
  local text, keepMs = format('%d', mark), format('%d', ARGV[1] + ttl)
  local earlier = tonumber(call('SET', markKey, text, 'PX', keepMs, 'GET'))
  if earlier and earlier + 1 > us and earlier < GARBAGE then
    -- As in nextTokens.
    first = earlier + 1
    count = math.max(1, math.min(count, us + AHEAD - first))
    mark = first + count - 1
    call('SET', markKey, format('%d', mark), 'PX', keepMs)
  end
end
local fresh = format('x%d %d %s', first, count, signature)
local quick = markKey and byte(terms, 6) == 48
for n, key in ipairs(KEYS) do
  if not quick or not call('SET', key, fresh .. sub(ids, (n - 1) * width + 1, n * width), 'PX', ttl, 'NX') then
    rest = rest or {}
    rest[#rest + 1] = n
  end
end
-- All of them alike: the one number spares the table, and the client the reading of it.
if not rest and count == asked then return first end
local reply = { math.floor(us / 1000) }
`

const answer = `
local function answer(n, code, value, count)
  local at = n * 3 - 1
  reply[at], reply[at + 1], reply[at + 2] = code, value, count
end
`

const acquireRest = `
local tokens, weight, capacity, wait = match(terms, '^(%d+) (%d+) (%d+) (%d+)$')
tokens, weight, capacity, wait = tonumber(tokens), tonumber(weight), tonumber(capacity), tonumber(wait)
ttl = tonumber(ttl)
local label = sub(signature, 1, -2)
for n = 1, #KEYS do answer(n, HELD, first, count) end
for _, n in ipairs(rest or {}) do
  local key, id = KEYS[n], sub(ids, (n - 1) * width + 1, n * width)
  local state, err = load(key)
  if err then
    answer(n, FAILED, err, 0)
  else
    local r = { ttl, tokens, weight, capacity, label, now + wait, 0, now, 0 }
    if state.company or weight > 0 or (state.id and wait > 0) then whole(key) end
    serve(key, state, id)
    local code, value, count = standing(key, state, id)
    if code then
      answer(n, code, value, count)
    elseif (not state.company or call('EXISTS', key .. ':q') == 0) and fits(key, state, weight, capacity) then
      answer(n, HELD, admit(key, state, id, r, ttl))
    elseif wait > 0 then
      local newest = call('ZRANGE', key .. ':q', -1, -1, 'WITHSCORES')
      r[TICKET] = (tonumber(newest[2]) or 0) + 1
      call('ZADD', key .. ':q', r[TICKET], id)
      write(key, id, r)
      last(key .. ':q', wait)
      last(key .. ':i', wait)
      state.company = true
      answer(n, QUEUED, left(key, state), 0)
    else
      answer(n, GONE, left(key, state), 0)
    end
    save(key, state)
  end
end
return reply`

const renewBody = `
for n, key in ipairs(KEYS) do
  local id, ttl, wait = ARGV[n * 3 + 1], tonumber(ARGV[n * 3 + 2]), tonumber(ARGV[n * 3 + 3])
  if markKey then last(markKey, keep + ttl) end
  local state, err = load(key)
  if err then
    answer(n, FAILED, err, 0)
  else
    if state.id == id then
      state.untilMs = now + ttl
    else
      if state.company then whole(key) end
      local r = record(key, id)
      if r and r[TOKEN] > 0 then
        if sharing(key) > 0 and call('ZSCORE', key .. ':s', id) then
          call('ZADD', key .. ':s', now + ttl, id)
          last(key .. ':s', ttl)
          last(key .. ':i', ttl)
        end
        state.company = true
      elseif r then
        r[UNTIL] = now + wait
        write(key, id, r)
        if call('ZREM', key .. ':a', id) == 1 then call('ZADD', key .. ':q', r[TICKET], id) end
        last(key .. ':q', wait)
        last(key .. ':i', wait)
        state.company = true
      end
      serve(key, state, id)
    end
    local code, value, count = standing(key, state, id)
    answer(n, code or GONE, value or -1, count or 0)
    -- Nothing is written about a key of which nothing is known.
    if state.id or state.company or state.first > 0 then save(key, state) end
  end
end
return reply`

const releaseFast = `
local ids = ARGV[4]
local width = #ids / #KEYS
local rest
for n, key in ipairs(KEYS) do
  local id = sub(ids, (n - 1) * width + 1, n * width)
  local value = redis.pcall('GET', key)
  if markKey and type(value) == 'string' and byte(value) == 120 and sub(value, -width) == id then
    call('DEL', key)
  else
    rest = rest or {}
    rest[#rest + 1] = n
  end
end
if not rest then return HELD end
local reply = {}
for n = 1, #KEYS do reply[n] = HELD end
`

const releaseRest = `
for _, n in ipairs(rest) do
  local key, id = KEYS[n], sub(ids, (n - 1) * width + 1, n * width)
  local state, err = load(key)
  if err then
    reply[n] = err
  elseif state.id == id then
    if state.company then whole(key) end
    state.id = nil
    serve(key, state)
    save(key, state)
    reply[n] = HELD
  elseif state.company then
    whole(key)
    local held = call('ZSCORE', key .. ':s', id)
    call('ZREM', key .. ':s', id)
    leave(key, id)
    serve(key, state)
    save(key, state)
    reply[n] = held and tonumber(held) > now and HELD or GONE
  else
    reply[n] = GONE
  end
end
return reply`

const evictBody = `
local key, word = KEYS[1], ARGV[4]
local state, err = load(key)
if err then return redis.error_reply(err) end
if state.company then whole(key) end
local ids = {}
if state.id then ids[1] = state.id end
if state.company and sharing(key) > 0 then
  for _, id in ipairs(call('ZRANGE', key .. ':s', 0, -1)) do ids[#ids + 1] = id end
end
for _, id in ipairs(ids) do
  tell(id, word .. ' ' .. id)
  if word == 'l' then
    if state.id == id then state.id = nil end
    call('ZREM', key .. ':s', id)
    leave(key, id)
  end
end
if word == 'l' and #ids > 0 then
  serve(key, state)
  save(key, state)
end
return #ids`

const inspectBody = `
local key = KEYS[1]
local state, err = load(key)
if err then return redis.error_reply(err) end
local parties = {}
local function party(role, id, r, sinceMs, untilMs)
  parties[#parties + 1] = { role, id, r[LABEL], format('%d', r[TOKEN]), now - sinceMs, untilMs - now, r[WEIGHT], r[CAPACITY] }
end
if state.id then party('h', state.id, { 0, 0, 0, 0, state.label, 0, 0, 0, state.first }, state.since, state.untilMs) end
sharing(key)
local shared = call('ZRANGE', key .. ':s', 0, -1, 'WITHSCORES')
for n = 1, #shared, 2 do
  local r = record(key, shared[n])
  if r then party('h', shared[n], r, r[SINCE], tonumber(shared[n + 1])) end
end
for _, id in ipairs(call('ZRANGE', key .. ':q', 0, 999)) do
  local r = record(key, id)
  if r and r[UNTIL] > now then party('q', id, r, r[SINCE], r[UNTIL]) end
end
return parties`

/** A script and the name under which the server knows it once it has run. */
export interface Script {
  readonly text: string
  readonly sha: string
}

function script(...parts: string[]): Script {
  const text = head + parts.join('')
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

export const acquireScript: Script = script(clock, acquireFast, prelude, answer, acquireRest)
export const renewScript: Script = script(clock, prelude, 'local reply = { now }', answer, renewBody)
export const releaseScript: Script = script(releaseFast, clock, prelude, releaseRest)
export const evictScript: Script = script(clock, prelude, evictBody)
export const inspectScript: Script = script(clock, prelude, inspectBody)
