package imports

import (
	"fmt"

	"suitesign/tenant"
)

// What can be wrong with a row. The codes are listed in docs/api.md.

func required(field string) Fault {
	return Fault{field, "required", "is required", "为必填项"}
}

func faultCorpID(field string) Fault {
	return Fault{field, "corp_id", "must be a corp's id: 1 to 128 printable ASCII characters without spaces", "须为企业 id：1 到 128 个不含空格的可见 ASCII 字符"}
}

func faultName(field string) Fault {
	return Fault{field, "name", "must be text in valid UTF-8 of at most 512 bytes, without control characters", "须为有效的 UTF-8 文本，至多 512 字节，不含控制字符"}
}

func faultMany(field string) Fault {
	return Fault{field, "too_many", fmt.Sprintf("has more than %d entries", maxList), fmt.Sprintf("超过 %d 项", maxList)}
}

func faultRepeated(field string) Fault {
	return Fault{field, "repeated", "has an entry twice", "有重复的项"}
}

func faultTime(field string) Fault {
	return Fault{field, "time", "must be a time of RFC 3339, as 2026-03-01T08:00:00Z", "须为 RFC 3339 时间，例如 2026-03-01T08:00:00Z"}
}

func faultCode(field string) Fault {
	return Fault{field, "code", "must be 1 to 512 visible ASCII characters without spaces, as WeCom gave it", "须为企业微信给出的原值：1 到 512 个不含空格的可见 ASCII 字符"}
}

func faultTwice(field string, line int) Fault {
	return Fault{field, "duplicate_row", fmt.Sprintf("names the corp of line %d again; each corp stands in the file once, further forms of its id are its aliases", line),
		fmt.Sprintf("与第 %d 行是同一企业；每个企业在文件中只能出现一次，id 的其他形式写在 aliases 中", line)}
}

func faultDomain(shape *tenant.ShapeError) Fault {
	return Fault{"domains", "domain_" + shape.Code, "cannot be trusted: " + shape.Reason, "不能设为可信域名（" + shape.Code + "）"}
}

func faultField(field, en, zh string) Fault { return Fault{field, "invalid", en, zh} }

var (
	faultAgent  = Fault{"agents", "agent_id", "has an agent_id that is no number above 0", "agent_id 须为大于 0 的数字"}
	faultStatus = Fault{"status", "status", "must be active, disabled or cancelled", "须为 active、disabled 或 cancelled"}
	faultSuite  = Fault{"suite_id", "suite_not_found", "names no suite that is configured here; case matters. Add the suite first", "此处没有配置该套件（区分大小写），请先添加套件"}

	faultKindInternal = Fault{"permanent_code", "suite_kind", "is not what a suite of kind internal has; write the app's Secret into secret", "internal 类型的套件没有 permanent_code，请将应用 Secret 写入 secret"}
	faultKindOther    = Fault{"secret", "suite_kind", "is for suites of kind internal only; write the permanent_code into permanent_code", "secret 仅用于 internal 类型的套件，请将永久授权码写入 permanent_code"}

	faultUTF8    = Fault{"", "utf8", "the row is not valid UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)", "该行不是有效的 UTF-8，请将文件另存为 UTF-8（Excel 中选择 CSV UTF-8）"}
	faultNUL     = Fault{"", "nul", "the row has a NUL character", "该行含有 NUL 字符"}
	faultColumns = Fault{"", "columns", "the row has more or fewer cells than the header has columns", "该行的单元格数量与表头的列数不一致"}
	faultJSON    = Fault{"", "json", "the line is not one JSON object", "该行不是一个 JSON 对象"}
	faultLong    = Fault{"", "too_large", fmt.Sprintf("the row is larger than %d KiB", maxRow>>10), fmt.Sprintf("该行超过 %d KiB", maxRow>>10)}

	faultNeedsCode = Fault{"permanent_code", "required", "is required for a tenant that is not here yet", "新增租户必须提供"}
	faultNeedsApp  = Fault{"agents", "required", "a new tenant of an internal suite needs secret and one agent", "internal 套件新增租户必须提供 secret 和一个应用"}
	faultCancelled = Fault{"authorized_at", "tenant_cancelled", "WeCom has ended this authorization. If the corp authorized anew since, write that time into authorized_at; otherwise the corp has to install the suite again",
		"该授权已被企业微信取消。若企业之后重新授权，请将该时间写入 authorized_at；否则需要企业重新安装"}
	faultTaken    = Fault{"aliases", "corp_id_taken", "the forms of this corp's id name several tenants of the suite", "该企业 id 的各种形式对应了套件中的多个租户"}
	faultInternal = Fault{"", "internal", "the row could not be stored; the log tells why. Import it again", "该行未能保存，原因见日志，请重新导入"}
)
