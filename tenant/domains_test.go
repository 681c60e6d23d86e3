package tenant_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"suitesign/tenant"
)

func TestDomains(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a := activate(t, s, "s1", "wwA")
	type ops struct {
		put    func(tenant.TrustedDomain, *int64) (tenant.TrustedDomain, bool, error)
		get    func(tenant.Domain) (tenant.TrustedDomain, error)
		list   func() ([]tenant.TrustedDomain, error)
		delete func(tenant.Domain, *int64) error
		topic  string
	}
	for name, o := range map[string]ops{
		"tenant": {
			put: func(d tenant.TrustedDomain, v *int64) (tenant.TrustedDomain, bool, error) {
				return s.PutTenantDomain(ctx, a.ID, d, v)
			},
			get:    func(d tenant.Domain) (tenant.TrustedDomain, error) { return s.GetTenantDomain(ctx, a.ID, d) },
			list:   func() ([]tenant.TrustedDomain, error) { return s.ListTenantDomains(ctx, a.ID) },
			delete: func(d tenant.Domain, v *int64) error { return s.DeleteTenantDomain(ctx, a.ID, d, v) },
			topic:  "tenant " + a.ID.String(),
		},
		"suite": {
			put: func(d tenant.TrustedDomain, v *int64) (tenant.TrustedDomain, bool, error) {
				return s.PutSuiteDomain(ctx, "s1", d, v)
			},
			get:    func(d tenant.Domain) (tenant.TrustedDomain, error) { return s.GetSuiteDomain(ctx, "s1", d) },
			list:   func() ([]tenant.TrustedDomain, error) { return s.ListSuiteDomains(ctx, "s1") },
			delete: func(d tenant.Domain, v *int64) error { return s.DeleteSuiteDomain(ctx, "s1", d, v) },
			topic:  "suite s1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if ds, err := o.list(); err != nil || len(ds) != 0 {
				t.Errorf("list = %v, %v; want none", ds, err)
			}
			d := tenant.TrustedDomain{Domain: tenant.Domain{Host: "h5.example.com", Port: 8443}, Exact: true,
				VerificationName: "WW_verify_0123456789abcdef.txt", VerificationContent: "0123456789abcdef"}
			var stored tenant.TrustedDomain
			wantHeard(t, heard(t, s, func() {
				var created bool
				var err error
				if stored, created, err = o.put(d, nil); err != nil || !created {
					t.Errorf("put = %v, %v; want it created", created, err)
				}
			}), o.topic, "hosts h5.example.com")
			want := d
			want.Version, want.CreatedAt, want.UpdatedAt = 1, stored.CreatedAt, stored.UpdatedAt
			if diff := cmp.Diff(want, stored); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
			if got, err := o.get(d.Domain); err != nil || !cmp.Equal(got, stored) {
				t.Errorf("get = %+v, %v; want %+v", got, err, stored)
			}
			if _, _, err := o.put(d, new(int64(7))); !errors.Is(err, tenant.ErrVersion) {
				t.Errorf("put at another version = %v, want ErrVersion", err)
			}
			if got, created, err := o.put(tenant.TrustedDomain{Domain: d.Domain, AllowHTTP: true}, new(int64(1))); err != nil || created || got.Version != 2 || got.Exact || !got.AllowHTTP || got.VerificationName != "" {
				t.Errorf("put again = %+v, %v, %v", got, created, err)
			}
			if _, _, err := o.put(tenant.TrustedDomain{Domain: tenant.Domain{Host: "new.example.com"}}, new(int64(1))); !errors.Is(err, tenant.ErrVersion) {
				t.Errorf("put of a new one at a version = %v, want ErrVersion", err)
			}
			if _, _, err := o.put(tenant.TrustedDomain{Domain: tenant.Domain{Host: "h5.example.com"}}, nil); err != nil {
				t.Errorf("put without a port: %v", err)
			}
			if ds, err := o.list(); err != nil || len(ds) != 2 || ds[0].Port != 0 || ds[1].Port != 8443 {
				t.Errorf("list = %+v, %v; want the two ports", ds, err)
			}
			if _, _, err := o.put(tenant.TrustedDomain{Domain: d.Domain, VerificationName: "x", VerificationContent: "y"}, nil); !errors.Is(err, tenant.ErrInvalidFile) {
				t.Errorf("put with a bad file = %v, want ErrInvalidFile", err)
			}
			if err := o.delete(d.Domain, new(int64(1))); !errors.Is(err, tenant.ErrVersion) {
				t.Errorf("delete at an old version = %v, want ErrVersion", err)
			}
			wantHeard(t, heard(t, s, func() {
				if err := o.delete(d.Domain, new(int64(2))); err != nil {
					t.Error(err)
				}
			}), o.topic, "hosts h5.example.com")
			if err := o.delete(d.Domain, nil); !errors.Is(err, tenant.ErrNotFound) {
				t.Errorf("delete again = %v, want ErrNotFound", err)
			}
			if _, err := o.get(d.Domain); !errors.Is(err, tenant.ErrNotFound) {
				t.Errorf("get = %v, want ErrNotFound", err)
			}
		})
	}
	if _, _, err := s.PutTenantDomain(ctx, uuid.New(), trust("a.example.com"), nil); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("PutTenantDomain of nobody = %v, want ErrNotFound", err)
	}
	if _, _, err := s.PutSuiteDomain(ctx, "none", trust("a.example.com"), nil); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("PutSuiteDomain of nobody = %v, want ErrNotFound", err)
	}
	if _, err := s.ListTenantDomains(ctx, uuid.New()); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("ListTenantDomains of nobody = %v, want ErrNotFound", err)
	}
}

// TestManyHosts: a tenant with very many hosts is announced as one change of any host.
func TestManyHosts(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := activate(t, s, "s1", "wwA")
	for i := range 20 {
		put(t, s, a.ID, trust(fmt.Sprintf("h%d.example.com", i)))
	}
	got := heard(t, s, func() {
		if _, err := s.Cancel(t.Context(), a.ID, t0); err != nil {
			t.Error(err)
		}
	})
	wantHeard(t, got, "tenant "+a.ID.String(), "hosts ")
}

func TestVerificationFile(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a := activate(t, s, "s1", "wwA")
	own := trust("own.example.com")
	own.VerificationName, own.VerificationContent = "WW_verify_aaaaaaaaaaaaaaaa.txt", "aaaaaaaaaaaaaaaa"
	own.Port = 8443
	put(t, s, a.ID, own)
	shared := trust("suite.example.com")
	shared.VerificationName, shared.VerificationContent = "WW_verify_bbbbbbbbbbbbbbbb.txt", "bbbbbbbbbbbbbbbb"
	if _, _, err := s.PutSuiteDomain(ctx, "s1", shared, nil); err != nil {
		t.Fatal(err)
	}
	put(t, s, a.ID, trust("suite.example.com")) // an entry of the same host without a file hides nothing
	for _, tt := range []struct{ host, name, want string }{
		{"own.example.com", own.VerificationName, "aaaaaaaaaaaaaaaa"},
		{"Own.Example.com:8080", own.VerificationName, "aaaaaaaaaaaaaaaa"},
		{"suite.example.com", shared.VerificationName, "bbbbbbbbbbbbbbbb"},
		{"suite.example.com", own.VerificationName, ""},
		{"own.example.com", strings.ToLower(own.VerificationName), ""},
		{"a.own.example.com", own.VerificationName, ""},
		{"", own.VerificationName, ""},
		{"own.example.com", "", ""},
		{"suite.example.com", "WW_verify_'.txt", ""},
	} {
		got, err := s.VerificationFile(ctx, tt.host, tt.name)
		if got != tt.want || (tt.want == "") != errors.Is(err, tenant.ErrNotFound) {
			t.Errorf("VerificationFile(%q, %q) = %q, %v; want %q", tt.host, tt.name, got, err, tt.want)
		}
	}
}

func trust(host string) tenant.TrustedDomain {
	return tenant.TrustedDomain{Domain: tenant.Domain{Host: host}}
}

func put(t *testing.T, s *tenant.Store, id uuid.UUID, d tenant.TrustedDomain) {
	t.Helper()
	if _, _, err := s.PutTenantDomain(t.Context(), id, d, nil); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s *tenant.Store, id uuid.UUID) tenant.Tenant {
	t.Helper()
	got, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
