-- severity>=warn timeout
--   f0 = "timeout"
(severity >= 13 AND (positionCaseInsensitiveUTF8(body, {f0:String}) > 0))

-- severity:error
severity BETWEEN 17 AND 20

-- level<=info
severity <= 12

-- "card was declined here"
--   f0 = "card was declined here"
--   f1 = "was"
--   f2 = "declined"
(hasToken(lower(body), {f2:String}) AND hasToken(lower(body), {f1:String}) AND positionCaseInsensitiveUTF8(body, {f0:String}) > 0)

-- body:refused
--   f0 = "refused"
(positionCaseInsensitiveUTF8(body, {f0:String}) > 0)

-- body:*refused*
--   f0 = "%refused%"
body LIKE {f0:String}

-- order:7 has:trace
--   f0 = "order"
--   f1 = "7"
((has(`attr.value`, {f1:String}) AND `attr.value`[indexOf(`attr.key`, {f0:String})] = {f1:String}) AND trace_id != toFixedString('', 16))

-- event:login span:0123456789abcdef
--   f0 = "login"
--   f1 = "0123456789abcdef"
(event_name = {f0:String} AND span_id = toFixedString(unhex({f1:String}), 8))

