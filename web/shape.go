package web

import (
	"errors"

	"suitesign/tenant"
)

// shapes say in whole sentences what the tenant room finds wrong with a text.
// Its reasons are clauses that follow these beginnings; the Chinese ones are here.
var shapes = []struct {
	err     error
	en, zh  string
	reasons map[string]string
}{
	{tenant.ErrInvalidURL, "This is not the URL of a page: ", "url 不是页面的 location.href：", map[string]string{
		"empty":          "内容为空，应为 encodeURIComponent(location.href.split('#')[0])",
		"too_long":       "超过 8192 字节",
		"scheme":         "必须以小写的 https:// 或 http:// 开头",
		"userinfo":       "主机名之前含有用户信息（@），location.href 不会出现",
		"backslash":      "查询串之前含有反斜杠，location.href 不会出现",
		"control":        "含有空格、制表符、换行或其他控制字符，应像 location.href 一样使用百分号编码",
		"utf8":           "不是有效的 UTF-8，url 参数只能编码一次",
		"percent_host":   "主机名含有百分号，url 参数可能被编码了两次",
		"upper_case":     "主机名含有大写字母，应直接传入 location.href",
		"unicode_host":   "主机名含有非 ASCII 字符，应直接传入 location.href（punycode 形式 xn--…）",
		"ip_address":     "主机是 IP 地址，企业微信只信任域名",
		"no_host":        "// 之后没有主机名",
		"label":          "主机名含有空标签、过长标签，或标签以连字符开头或结尾",
		"trailing_dot":   "主机名以点结尾",
		"single_label":   "主机名只有一段，可信域名至少两段",
		"host_too_long":  "主机名超过 253 字节",
		"host_character": "主机名含有字母、数字、连字符和点以外的字符",
		"punycode":       "主机名中的 xn-- 标签不是有效的 punycode",
		"port":           "端口不是 1 到 65535 之间且无前导零的数字",
		"default_port":   "写出了协议的默认端口，location.href 不会写出",
	}},
	{tenant.ErrInvalidDomain, "This domain cannot be trusted: ", "该域名不能设为可信域名：", map[string]string{
		"empty":         "内容为空，应为 主机名 或 主机名:端口，例如 h5.example.com",
		"too_long":      "超过域名允许的长度",
		"scheme":        "含有协议或路径，只写 主机名 或 主机名:端口，例如 h5.example.com",
		"userinfo":      "含有 @，只写 主机名 或 主机名:端口",
		"wildcard":      "含有 *；未设置 exact 时，可信域名已包含其子域名",
		"space":         "含有空格或控制字符",
		"utf8":          "不是有效的 UTF-8",
		"ip_address":    "是 IP 地址，企业微信只信任域名",
		"trailing_dot":  "以点结尾，请去掉",
		"single_label":  "只有一段，至少两段，例如 example.com",
		"localhost":     "localhost 下的名称仅在演示模式可信",
		"port":          "端口不是 1 到 65535 之间且无前导零的数字",
		"label":         "含有空标签、过长标签、首尾为连字符的标签，或主机名不允许的字符",
		"idna":          "不是有效的国际化域名",
		"public_suffix": "是公共后缀，任何人都能在其下注册名称，请填写其下属于你的域名",
		"shared_suffix": "是托管服务的共享后缀，其下属于不同客户，请填写其下属于你的域名",
	}},
	{tenant.ErrInvalidFile, "This is no verification file: ", "该校验文件不符合要求：", map[string]string{
		"name":    "文件名必须是 WW_verify_ 加 8 到 32 位字母或数字，再加 .txt",
		"content": "内容必须是 8 到 32 位字母或数字",
	}},
	{tenant.ErrInvalidCorpID, "This cannot be a corp_id: ", "corp_id 不符合要求：", map[string]string{
		"corp_id": "必须是 1 到 128 个不含空格的可见 ASCII 字符",
	}},
}

// shapeDetail is the detail of an error that says what is wrong with a text.
func shapeDetail(err error) (en, zh string, ok bool) {
	var shape *tenant.ShapeError
	if !errors.As(err, &shape) {
		return "", "", false
	}
	for _, s := range shapes {
		if errors.Is(shape.Err, s.err) {
			en, zh = s.en+shape.Reason+".", s.zh+shape.Reason+"。"
			if reason := s.reasons[shape.Code]; reason != "" {
				zh = s.zh + reason + "。"
			}
			return en, zh, true
		}
	}
	return "", "", false
}
