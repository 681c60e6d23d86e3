package web

import "github.com/gin-gonic/gin"

// registerAdmin adds the admin API's routes to the admin listener.
func (s *Server) registerAdmin(gin.IRouter) {}
