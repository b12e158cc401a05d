-- Append a worker's entries to a run's stream, and tell each on its channel.
--
-- KEYS: the stream, which is the channel's name too; the highest fence so far.
-- ARGV: the worker's fence; the number of the first entry; seconds to keep both keys; then for each
-- entry its own fence, kind, data, raw and at.
--
-- Returns a word and the number of the stream's last entry:
--   written   all of them are there, those that were there already included
--   behind    the stream ends before the entry that goes before the first one: it has lost some
--   foreign   in their place stand entries of another worker
--   late      a worker with a higher fence has written or has claimed the stream
local fence, first = tonumber(ARGV[1]), tonumber(ARGV[2])
local highest = tonumber(redis.call('GET', KEYS[2]) or '0')
local found = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local last, last_fence = 0, nil
if found[1] then
    last = tonumber(string.match(found[1][1], '^%d+'))
    local fields = found[1][2]
    for at = 1, #fields, 2 do
        if fields[at] == 'fence' then last_fence = fields[at + 1] end
    end
end
if fence < highest then return {'late', last} end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
if #ARGV > 3 then
    if first > last + 1 then return {'behind', last} end
    if last >= first and ARGV[4 + (last - first) * 5] ~= last_fence then
        return {'foreign', last}
    end
    local number = first
    for at = 4, #ARGV, 5 do
        if number > last then
            redis.call('XADD', KEYS[1], number .. '-0', 'kind', ARGV[at + 1], 'data', ARGV[at + 2],
                'fence', ARGV[at], 'raw', ARGV[at + 3], 'at', ARGV[at + 4])
            redis.call('PUBLISH', KEYS[1], number .. '\n' .. ARGV[at + 1] .. '\n' .. ARGV[at + 2])
        end
        number = number + 1
    end
    last = math.max(last, number - 1)
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {'written', last}
