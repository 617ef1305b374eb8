import { createHash } from 'node:crypto'
import { head, now, prelude } from './node-state.ts'

/*
 * The node's half of ./rules.ts, with a queue and with times. Each operation of a call has its key, after that of the node;
 * before the operations come the length of an epoch, `claim ttlMax channels`, and whether to look at the run id.
 *
 * A server that has restarted does not know the script any more (Redis 7 and later), so the first call to it comes as
 * text, with the flag that makes it look at its run id: this finds every restart, also one with older data.
 */

// Releases, and then votes, of keys for which nobody waits, in the order in which they came, up to the first operation
// that is something else. A function costs as much as a command to define, so there is none here. In the general way,
// below, it takes the server three times as long.
const plainReleases = `
local done, plain = 3, ARGV[3] == '0'
for n = 4, plain and #ARGV or 0 do
  local id, key = match(ARGV[n], '^f (%S+)'), KEYS[n - 2]
  if not id then break end
  local value = redis.pcall('GET', key)
  if type(value) == 'string' then
    local last, times, owner, from, more = match(value, '^x(%d+)( %d+ )(%S+) (%S+)(.*)$')
    if last and owner == id then
      call('SET', key, 'f' .. last, 'PX', keep)
      reply[n - 3] = 1
    elseif last and from == id then
      call('SET', key, 'x' .. last .. times .. owner .. ' -' .. more, 'KEEPTTL')
      reply[n - 3] = 1
    elseif last or string.byte(value) == 102 then
      reply[n - 3] = 0
    else break end
  elseif value then
    break
  else
    reply[n - 3] = 0
  end
  done = n
end
if done == #ARGV then return reply end
`

const plainVotes = `
local at, high, low, others = match(known or '', '^r(%d+) (%d+) (%d+)(.*)$')
if at and plain and tonumber(at) == epoch then
  high = tonumber(high)
  local highBefore = high
  for n = done + 1, #ARGV do
    local key = KEYS[n - 2]
    local id, place, after, proposal, tokens, ttl, wait, label = match(ARGV[n], '^v (%S+) (%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (.*)$')
    if not id then break end
    local value = redis.pcall('GET', key)
    local last, untilMs, owner
    if type(value) == 'string' then
      last, untilMs, owner = match(value, '^[fx](%d+) ?(%d*) ?(%S*)')
      if untilMs == '' or last and tonumber(untilMs) <= now then owner = nil end
    elseif not value then
      last = low
    end
    if not last or owner == id then break end
    if owner and owner ~= after then
      if wait ~= '0' then break end
      reply[n - 3] = { NO, untilMs - now, owner }
    else
      last = max(last + 1, min(proposal, us + AHEAD)) + tokens - 1
      if last > high then high = last + HEADROOM end
      call('SET', key, format('x%d %d %s %s %d %s %s', last, now + ttl, id, owner or '-', now, tokens, label), 'PX', keep + ttl)
      reply[n - 3] = last
    end
    done = n
  end
  if high > highBefore then
    known = format('r%s %d %s%s', at, high, low, others)
    call('SET', KEYS[1], known)
  end
end
if done == #ARGV then return reply end
`

const votes = `
-- v, vote: id place after proposal tokens ttl wait label; where it has to wait, it does so under the name of its place
local function vote(key, text)
  local id, place, after, proposal, tokens, ttl, wait, label = match(text, '^(%S+) (%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (.*)$')
  if not node.ready then return { AWAY, node.since + ttlMax - now, node.empty } end
  local state, err = load(key)
  if err then return err end
  ttl, wait, tokens = tonumber(ttl), tonumber(wait), tonumber(tokens)
  if not state.owner then serve(key, state, '-', id) end
  if state.owner == id then
    state.untilMs = now + ttl
  elseif not state.owner or state.owner == after then
    take(state, id, state.owner or '-', tonumber(proposal), tokens, ttl, label)
  elseif wait > 0 then
    local old = state.queue and call('HMGET', key .. ':i', id, place) or {}
    local since = now
    if old[1] then place = id end
    if old[1] or old[2] then
      since = cmsgpack.unpack(old[1] or old[2])[5]
    else
      local newest = state.queue and call('ZRANGE', key .. ':q', -1, -1, 'WITHSCORES')[2]
      call('ZADD', key .. ':q', (tonumber(newest) or 0) + 1, place)
    end
    call('HSET', key .. ':i', place, cmsgpack.pack({ ttl, tokens, label, now + wait, since }))
    -- The key outlives its queue, or a newcomer would pass those who wait. Who waits for longer than that asks again.
    local kept = min(wait, max(keep - 1000, keep / 2))
    for _, name in ipairs({ key .. ':q', key .. ':i' }) do
      if call('PTTL', name) < kept then call('PEXPIRE', name, kept) end
    end
    state.queue = true
    save(key, state)
    return { QUEUED, left(state), state.owner, now, place }
  end
  save(key, state)
  if state.owner == id then return state.last end
  return { NO, left(state), state.owner }
end
-- f, free, also where its ttl has ended, which its sender knows better: id, and after whom the next one comes where that is not the id (^: after the
-- same as this one); 4 where a next one was called
local function free(key, text)
  local state, err = load(key)
  if err then return err end
  local id, after = match(text, '^(%S+) ?(%S*)$')
  local was = 0
  if state.owner == id or state.past == id then
    was, state.owner = 1, nil
  else
    if state.queue then leave(key, id) end
    if state.owner and state.from == id then was, state.from = 1, '-' end
  end
  local owner = state.owner
  if after == '^' then after = state.from or '-' end
  if not owner and node.ready then serve(key, state, after ~= '' and after or was == 1 and id or '-') end
  local served = state.owner ~= owner
  if was == 1 or served then save(key, state) end
  return was == 1 and served and 4 or was
end
`

// The less frequent ones are one function.
const others = `
local function other(op, key, text)
  if op == 'r' then
    -- raise: id last
    local id, last = match(text, '^(%S+) (%d+)$')
    local state, err = load(key)
    if err then return err end
    if not node.ready or state.owner ~= id or state.last > tonumber(last) then return 0 end
    state.last = tonumber(last)
    save(key, state)
    return 1
  elseif op == 'k' then
    -- renew: id ttl; 2 where nobody owns it, 3 where the node does not vote
    local id, ttl = match(text, '^(%S+) (%d+)$')
    if not node.ready then return 3 end
    local state, err = load(key)
    if err then return err end
    if state.owner ~= id then return state.owner and 0 or 2 end
    state.untilMs = now + ttl
    save(key, state)
    return 1
  elseif op == 'j' then
    -- join: id last tokens ttl label
    local id, last, tokens, ttl, label = match(text, '^(%S+) (%d+) (%d+) (%d+) (.*)$')
    local state, err = load(key)
    if err then return err end
    if not node.ready or state.owner and state.owner ~= id then return 0 end
    state.last = max(state.last, tonumber(last))
    state.owner, state.from, state.untilMs, state.since, state.tokens, state.label = id, '-', now + ttl, now, tonumber(tokens), label
    save(key, state)
    return 1
  elseif op == 'i' then
    -- inspect
    local state, err = load(key)
    if err then return err end
    if not state.owner and node.ready then
      serve(key, state, '-')
      if state.owner then save(key, state) end
    end
    local queue = {}
    for _, id in ipairs(call('ZRANGE', key .. ':q', 0, 999)) do
      local packed = call('HGET', key .. ':i', id)
      local r = packed and cmsgpack.unpack(packed)
      if r and r[4] > now then queue[#queue + 1] = { id, r[3], now - r[5], r[4] - now } end
    end
    if not state.owner then return { {}, queue } end
    return { { state.owner, state.label, now - state.since, left(state), state.last - state.tokens + 1 }, queue }
  elseif op == 'p' then
    -- report of the node: ready, high, how long it still stays out, whether it is empty, how long it is up, since when it is out
    if node.ready then return { 1, node.high, 0, 0, 0, 0 } end
    local _, up = info()
    return { 0, node.high, node.since + ttlMax - now, node.empty, up, node.since }
  elseif op == 'a' then
    -- admit: floor, whether all nodes are new, since when it is out
    local low, new, since = match(text, '^(%d+) (%d) (%d+)$')
    if node.ready then return 1 end
    -- It has lost its data once more since it was asked.
    if tonumber(since) ~= node.since then return 0 end
    local _, up = info()
    if node.since + ttlMax > now and not (new == '1' and node.empty == 1 and up >= ttlMax) then return 0 end
    low = max(tonumber(low), node.high)
    node.ready, node.epoch, node.floor, node.older, node.high = true, epoch, low, low, low
    highBefore = -1
    return 1
  end
end
`

const general = `
for n = done + 1, #ARGV do
  local op, text = ARGV[n]:sub(1, 1), ARGV[n]:sub(3)
  if op == 'v' then
    reply[n - 3] = vote(KEYS[n - 2], text)
  elseif op == 'f' then
    reply[n - 3] = free(KEYS[n - 2], text)
  else
    reply[n - 3] = other(op, KEYS[n - 2], text)
  end
end
if node.high ~= highBefore and (node.ready or node.high > highBefore) then store() end
return reply`

const body = [head, plainReleases, now, plainVotes, prelude, votes, others, general].join('')

export const script: { readonly text: string; readonly sha: string } = {
  text: body,
  sha: createHash('sha1').update(body).digest('hex'),
}
