-- 
1

-- service:checkout status:error duration>500ms
--   f0 = "checkout"
--   f1 = "500000000"
(service = {f0:String} AND status = 'error' AND duration_ns > {f1:UInt64})

-- service:pay* OR -kind:client
--   f0 = "pay%"
(service LIKE {f0:String} OR NOT kind = 'client')

-- name:"GET /x" "free text"
--   f0 = "GET /x"
--   f1 = "free text"
(name = {f0:String} AND positionCaseInsensitive(name, {f1:String}) > 0)

-- trace:0123456789abcdef0123456789abcdef
--   f0 = "0123456789abcdef0123456789abcdef"
trace_id = toFixedString(unhex({f0:String}), 16)

-- env:prod version:1.2 instance:pod-1
--   f0 = "prod"
--   f1 = "1.2"
--   f2 = "pod-1"
(resource IN (SELECT fingerprint FROM (SELECT fingerprint, max(env) AS env, max(version) AS version, max(instance) AS instance FROM resources GROUP BY fingerprint) WHERE env = {f0:String}) AND resource IN (SELECT fingerprint FROM (SELECT fingerprint, max(env) AS env, max(version) AS version, max(instance) AS instance FROM resources GROUP BY fingerprint) WHERE version = {f1:String}) AND resource IN (SELECT fingerprint FROM (SELECT fingerprint, max(env) AS env, max(version) AS version, max(instance) AS instance FROM resources GROUP BY fingerprint) WHERE instance = {f2:String}))

-- root:true event:exception has:user.id
--   f0 = "exception"
--   f1 = "user.id"
(parent_span_id = toFixedString('', 8) AND has(`event.name`, {f0:String}) AND has(`attr.key`, {f1:String}))

-- user.id:7
--   f0 = "user.id"
--   f1 = "7"
(has(`attr.value`, {f1:String}) AND `attr.value`[indexOf(`attr.key`, {f0:String})] = {f1:String})

-- user.id:
-- at 8: a value is missing after user.id

-- cloud.region:eu
--   f0 = "cloud.region"
--   f1 = "eu"
resource IN (SELECT fingerprint FROM resources WHERE attributes[{f0:String}] = {f1:String})

-- both:x
--   f0 = "both"
--   f1 = "x"
((has(`attr.value`, {f1:String}) AND `attr.value`[indexOf(`attr.key`, {f0:String})] = {f1:String}) OR resource IN (SELECT fingerprint FROM resources WHERE attributes[{f0:String}] = {f1:String}))

-- resource.both:x
--   f0 = "both"
--   f1 = "x"
resource IN (SELECT fingerprint FROM resources WHERE attributes[{f0:String}] = {f1:String})

-- unseen:x
--   f0 = "unseen"
--   f1 = "x"
(has(`attr.value`, {f1:String}) AND `attr.value`[indexOf(`attr.key`, {f0:String})] = {f1:String})

-- user.id>=500
--   f0 = "user.id"
--   f1 = "500"
ifNull(toFloat64OrNull(`attr.value`[indexOf(`attr.key`, {f0:String})]) >= {f1:Float64}, 0)

-- both<1.5
--   f0 = "both"
--   f1 = "1.5"
(ifNull(toFloat64OrNull(`attr.value`[indexOf(`attr.key`, {f0:String})]) < {f1:Float64}, 0) OR resource IN (SELECT fingerprint FROM resources WHERE ifNull(toFloat64OrNull(attributes[{f0:String}]) < {f1:Float64}, 0)))

-- user.id:a*_%
--   f0 = "user.id"
--   f1 = "a%\\\\_\\\\%"
(`attr.value`[indexOf(`attr.key`, {f0:String})] LIKE {f1:String} AND has(`attr.key`, {f0:String}))

-- -(user.id:7 OR status:ok)
--   f0 = "user.id"
--   f1 = "7"
NOT ((has(`attr.value`, {f1:String}) AND `attr.value`[indexOf(`attr.key`, {f0:String})] = {f1:String}) OR status = 'ok')

-- duration>=1.5s duration<=250
--   f0 = "1500000000"
--   f1 = "250000000"
(duration_ns >= {f0:UInt64} AND duration_ns <= {f1:UInt64})

-- status_message:boom*
--   f0 = "boom%"
status_message LIKE {f0:String}

