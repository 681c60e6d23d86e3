package tenant

import "strings"

// sharedSuffixes are suffixes under which a service gives names to its customers,
// who write what those names answer, and which the public suffix list does not
// have. Refused is the suffix itself, not a name below it:
// bucket-125.cos.ap-guangzhou.myqcloud.com is one customer's own. A * stands for
// any part of one label.
var sharedSuffixes = suffixSet(
	// Tencent
	"qq.com", "weixin.qq.com",
	"myqcloud.com", "file.myqcloud.com", "cosgz.myqcloud.com", "cossh.myqcloud.com", "costj.myqcloud.com", "coscd.myqcloud.com", "cos.*.myqcloud.com", "cos-website.*.myqcloud.com", "picgz.myqcloud.com", "picsh.myqcloud.com", "pictj.myqcloud.com", "piccd.myqcloud.com",
	"tencentcos.cn", "cos.*.tencentcos.cn", "cos-website.*.tencentcos.cn", "tencentcos.com", "cos.*.tencentcos.com",
	"qcloudcos.com", "qcloud.la", "tcb.qcloud.la", "qcloudcdn.com", "dnsv1.com", "cdn.dnsv1.com", "dnse1.com", "eo.dnse1.com",
	"tencentcs.com", "apigw.tencentcs.com", "*.apigw.tencentcs.com", "tencentapigw.com", "ap-*.tencentapigw.com", "tencentapigw.cn", "ap-*.tencentapigw.cn",
	"tencentscf.com", "ap-*.tencentscf.com", "tcloudbase.com", "service.tcloudbase.com", "ap-*.app.tcloudbase.com", "tcloudbaseapp.com", "tcloudbasegateway.com",
	"edgeone.app", "edgeone.dev", "edgeone.site",
	// Alibaba
	"aliyuncs.com", "oss-*.aliyuncs.com", "fc.aliyuncs.com", "*.fc.aliyuncs.com",
	"alicloudapi.com", "*.alicloudapi.com", "fcapp.run", "cn-*.fcapp.run", "ap-*.fcapp.run", "eu-*.fcapp.run", "us-*.fcapp.run",
	"functioncompute.com", "bspapp.com", "next.bspapp.com", "alicdn.com", "myalicdn.com", "alikunlun.com", "kunlunaq.com", "w.kunlunaq.com", "kunlunca.com", "kunlunsl.com", "kunluncan.com", "aliapp.com",
	// Huawei
	"myhuaweicloud.com", "obs.*.myhuaweicloud.com", "obs-website.*.myhuaweicloud.com", "huaweicloudapis.com", "apig.*.huaweicloudapis.com",
	"hwcloudsite.cn", "cdnhwc1.com", "cdnhwc2.com", "cdnhwc3.com",
	// Baidu
	"bcebos.com", "bj.bcebos.com", "gz.bcebos.com", "su.bcebos.com", "bd.bcebos.com", "hkg.bcebos.com", "fwh.bcebos.com", "fsh.bcebos.com", "sin.bcebos.com", "cdn.bcebos.com", "*.cdn.bcebos.com",
	"bcehost.com", "bceapp.com", "jomodns.com", "duapp.com",
	// Volcengine, JD, Kingsoft, UCloud, Qiniu, Upyun, CTyun, Sina, Wangsu, NetEase
	"volces.com", "tos-*.volces.com", "volccdn.com", "volceapi.com", "apigateway-*.volceapi.com",
	"jdcloud-oss.com", "s3.*.jdcloud-oss.com", "jcloudcs.com",
	"ksyuncs.com", "ks3-*.ksyuncs.com", "ufileos.com", "cn-*.ufileos.com",
	"qiniucdn.com", "qiniudn.com", "qiniudns.com", "qiniuio.com", "qiniup.com", "clouddn.com", "bkt.clouddn.com", "*.bkt.clouddn.com",
	"upaiyun.com", "b0.upaiyun.com", "upcdn.net", "test.upcdn.net", "aicdn.com", "b0.aicdn.com",
	"ctyunapi.cn", "oos-*.ctyunapi.cn", "ctyuncdn.cn", "zos.ctyun.cn", "*.zos.ctyun.cn",
	"sinaapp.com", "applinzi.com", "vipsinaapp.com", "sinastorage.com", "sinacloud.net",
	"wsdvs.com", "wscdns.com", "lxdns.com", "163yun.com", "nos-*.163yun.com",
	// Pages
	"gitee.io", "coding.me", "coding.io", "coding-pages.com", "glitch.me", "surge.sh", "wordpress.com", "weebly.com", "squarespace.com", "carrd.co",
	"icoc.me", "icoc.bz", "webportal.top",
	// Tunnels, dynamic and wildcard DNS
	"natapp.cc", "natappfree.cc", "natapp1.cc", "natapp2.cc", "natapp4.cc", "mynatapp.cc", "cpolar.cn", "cpolar.top", "cpolar.io", "r*.cpolar.cn", "r*.cpolar.top", "vip.cpolar.cn", "vip.cpolar.top", "r*.vip.cpolar.cn",
	"loca.lt", "localtunnel.me", "serveo.net", "localhost.run", "lhr.life", "pinggy.io", "pinggy.link", "ngrok.cc",
	"frp.one", "vaiwan.com", "vaiwan.cn", "idcfengye.com", "free.idcfengye.com",
	"vicp.net", "vicp.cc", "vicp.io", "vicp.fun", "51vip.biz", "51mypc.cn", "imwork.net", "eicp.net", "eicp.vip", "zicp.net", "zicp.vip", "xicp.net", "xicp.cn", "xicp.fun", "gicp.net", "qicp.net", "qicp.vip", "yicp.fun", "yicp.vip", "iok.la", "goho.co",
	"3322.org", "f3322.net", "f3322.org", "2288.org", "6600.org", "7766.org", "8800.org", "8866.org", "9966.org",
	"nip.io", "sslip.io", "xip.io", "traefik.me", "localtest.me", "lvh.me", "vcap.me",
	// Parents of public suffixes, and others of the kind
	"amazonaws.com", "elb.amazonaws.com", "*.elb.amazonaws.com", "execute-api.*.amazonaws.com", "s3*.amazonaws.com", "s3*.*.amazonaws.com",
	"amazonaws.com.cn", "*.elb.amazonaws.com.cn", "execute-api.*.amazonaws.com.cn", "s3*.*.amazonaws.com.cn", "amazoncognito.com", "on.aws",
	"windows.net", "core.windows.net", "cloudapp.azure.com", "chinacloudapi.cn", "core.chinacloudapi.cn", "blob.core.chinacloudapi.cn", "chinacloudsites.cn", "chinacloudapp.cn",
	"googleapis.com", "storage.googleapis.com", "googleusercontent.com",
	"backblazeb2.com", "s3.*.backblazeb2.com", "wasabisys.com", "s3.*.wasabisys.com", "linodeobjects.com", "*.linodeobjects.com", "cloudflarestorage.com", "r2.cloudflarestorage.com", "akamaihd.net",
)

// A suffixPattern is a list of labels of which some have a *.
type suffixPattern []string

// suffixes holds the plain names, and the patterns by their last two labels.
type suffixes struct {
	plain    map[string]bool
	patterns map[string][]suffixPattern
}

func suffixSet(names ...string) suffixes {
	s := suffixes{plain: map[string]bool{}, patterns: map[string][]suffixPattern{}}
	for _, n := range names {
		if !strings.Contains(n, "*") {
			s.plain[n] = true
			continue
		}
		labels := strings.Split(n, ".")
		end := strings.Join(labels[len(labels)-2:], ".")
		s.patterns[end] = append(s.patterns[end], labels)
	}
	return s
}

// sharedSuffix reports whether a host is itself a suffix that many share.
func sharedSuffix(host string) bool {
	if sharedSuffixes.plain[host] {
		return true
	}
	labels := strings.Split(host, ".")
	if len(labels) < 2 {
		return false
	}
	for _, p := range sharedSuffixes.patterns[strings.Join(labels[len(labels)-2:], ".")] {
		if p.matches(labels) {
			return true
		}
	}
	return false
}

func (p suffixPattern) matches(labels []string) bool {
	if len(p) != len(labels) {
		return false
	}
	for i, want := range p {
		prefix, rest, star := strings.Cut(want, "*")
		if !star && want != labels[i] {
			return false
		}
		if star && (len(labels[i]) < len(prefix)+len(rest) || !strings.HasPrefix(labels[i], prefix) || !strings.HasSuffix(labels[i], rest)) {
			return false
		}
	}
	return true
}
